-- Creates the switch that pauses all claims, for maintenance: running generations continue, no new one is claimed. A
-- separate table, because writers of deployment_config wait for each other.
-- Claims read it without a lock: one that started before the switch may still return its batch.
-- Locks: none. Undo: drops the table; whether claims are paused is lost.

-- migrate:up
set local lock_timeout = '3s';

create table private.queues (
  name text not null,
  paused_at timestamptz,
  paused_by text,
  reason text,
  constraint queues_pkey primary key (name),
  constraint queues_paused_by_somebody_check check ((paused_at is null) = (paused_by is null)),
  constraint queues_reason_only_while_paused_check check (reason is null or paused_at is not null)
);

comment on table private.queues is 'The queues, and whether their claims are paused. There is one queue, generations.';
comment on column private.queues.name is 'The queue.';
comment on column private.queues.paused_at is 'When its claims were paused; null: not paused.';
comment on column private.queues.paused_by is 'The name of the person or service that paused the claims.';
comment on column private.queues.reason is 'Why they are paused.';

insert into private.queues (name) values ('generations');

revoke all on private.queues from public, anon, authenticated, service_role;
grant select on private.queues to leo_worker;

create function private.pause_generation_claims(p_by text, p_reason text default null)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  update private.queues set paused_at = coalesce(paused_at, now()), paused_by = p_by, reason = p_reason
  where name = 'generations'
$$;

comment on function private.pause_generation_claims(text, text) is
  'Pauses all claims of generations. If they are paused, sets who and why again and keeps the time.';

create function private.resume_generation_claims()
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  update private.queues set paused_at = null, paused_by = null, reason = null where name = 'generations'
$$;

comment on function private.resume_generation_claims() is 'Resumes the claims of generations.';

grant execute on function private.pause_generation_claims(text, text) to leo_worker;
grant execute on function private.resume_generation_claims() to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.resume_generation_claims();
drop function private.pause_generation_claims(text, text);
drop table private.queues;
