-- Who is working on a generation, and until when. A row of its own and a narrow one: heartbeats write it every few
-- seconds, and here they stay small and HOT instead of copying a row full of prompts. No index on expires_at, which
-- would make every heartbeat touch an index; the table only holds what is being worked on.
-- The lease says whose work it is; what fences a late writer off is generation_requests.attempt.
-- Locks: SHARE ROW EXCLUSIVE on generation_requests for an instant. Undo: drops the table while it is empty;
-- that locks generation_requests too, ACCESS EXCLUSIVE, for an instant.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore prefer-bigint-over-int: the type of what it refers to
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

comment on table private.generation_leases is 'One row per generation that a worker has taken.';
comment on column private.generation_leases.user_id is 'The owner of the generation.';
comment on column private.generation_leases.generation_request_id is 'The generation.';
comment on column private.generation_leases.attempt is 'The attempt of the generation that the lease belongs to.';
comment on column private.generation_leases.worker is 'Which worker has it, as it names itself.';
comment on column private.generation_leases.expires_at is 'From then on another may take it.';

revoke all on private.generation_leases from public, anon, authenticated, service_role;
grant usage on schema private to leo_worker;
grant select, insert, update, delete on private.generation_leases to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

lock table public.generation_requests in access exclusive mode;
select private.assert_no_rows('private.generation_leases');
revoke usage on schema private from leo_worker;
drop table private.generation_leases;
