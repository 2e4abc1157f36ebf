-- Expand: generation_requests is a job queue in disguise, and a worker that dies must not strand a row. These columns
-- make it an honest one. Defaults are constants or stable, so existing rows get them without a rewrite and old writers,
-- who do not name the columns, keep working.
-- Deliberately absent: the lease (who works on it, until when). It changes with every heartbeat and lies in a narrow
-- row of its own, private.generation_leases.
-- Locks: ACCESS EXCLUSIVE for an instant, no rewrite. Undo: drops the columns while attempt,
-- retry_count, priority and idempotency_key hold nothing but defaults; queue_at is the queue's own and goes.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore prefer-bigint-over-int: counts the attempts at one generation
-- squawk-ignore prefer-bigint-over-smallint: a handful of retries, a handful of priorities
alter table public.generation_requests
  add column attempt integer not null default 0,
  add column retry_count smallint not null default 0,
  add column priority smallint not null default 0,
  add column queue_at timestamptz not null default now(),
  add column idempotency_key text;

comment on column public.generation_requests.attempt is 'Rises whenever a worker takes it; a worker''s writes say the attempt they belong to, and find no row once another has taken over.';
comment on column public.generation_requests.retry_count is 'How often its user has retried it after a failure. Users cannot write it.';
comment on column public.generation_requests.priority is 'Higher is taken first. Set by services only.';
comment on column public.generation_requests.queue_at is 'Not taken before this time, and among equals the earliest first.';
comment on column public.generation_requests.idempotency_key is 'Chosen by the caller; the same key enqueues once. Null for callers that do not care.';

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows(
  'public.generation_requests',
  'attempt <> 0 or retry_count <> 0 or priority <> 0 or idempotency_key is not null'
);
alter table public.generation_requests
  drop column attempt,
  drop column retry_count,
  drop column priority,
  drop column queue_at,
  drop column idempotency_key;
