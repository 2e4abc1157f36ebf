-- Creates the leases: which worker has a generation, and until when. A narrow row of its own, so that heartbeats are small
-- HOT updates and do not copy a row with prompts. An index on expires_at would make every heartbeat write to it; the table
-- has running generations only.
-- The lease identifies the worker; generation_requests.attempt fences late writes.
-- Locks: SHARE ROW EXCLUSIVE on generation_requests, briefly.
-- Undo: drops the table if it is empty, under ACCESS EXCLUSIVE on generation_requests.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore prefer-bigint-over-int: the type of the referenced column
create table private.generation_leases (
  user_id uuid not null,
  generation_request_id integer not null,
  attempt integer not null,
  worker text not null,
  expires_at timestamptz not null,
  constraint generation_leases_pkey primary key (user_id, generation_request_id),
  constraint generation_leases_user_id_generation_request_id_fkey foreign key (user_id, generation_request_id)
    references public.generation_requests (user_id, id) on delete cascade,
  constraint generation_leases_attempt_positive_check check (attempt > 0),
  constraint generation_leases_worker_printable_check check (worker collate "C" ~ '^[!-~]+$')
) with (fillfactor = 50);

comment on table private.generation_leases is 'One row per generation that a worker has claimed.';
comment on column private.generation_leases.user_id is 'The owner of the generation.';
comment on column private.generation_leases.generation_request_id is 'The generation.';
comment on column private.generation_leases.attempt is 'The attempt of the generation that the lease is for.';
comment on column private.generation_leases.worker is 'The name of the worker.';
comment on column private.generation_leases.expires_at is 'When another worker may take over.';

revoke all on private.generation_leases from public, anon, authenticated, service_role;
grant select, insert, update, delete on private.generation_leases to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

lock table public.generation_requests in access exclusive mode;
select private.assert_no_rows('private.generation_leases');
drop table private.generation_leases;
