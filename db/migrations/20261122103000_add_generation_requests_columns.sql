-- Expand: adds the columns of a job queue and the commit. The defaults are constant or stable, so existing rows get them
-- without a rewrite; writers of the previous schema do not name the columns and continue to work.
-- retry_count counts the retries of the user, failure_count the failures that workers report. A row that waits for its
-- next attempt is queued, so that its user can pause and cancel it.
-- Deliberately absent: the lease, which changes with every heartbeat and is a narrow row in private.generation_leases; a
-- constraint between available_at and status, which the status machine keeps.
-- Locks: ACCESS EXCLUSIVE, briefly, no rewrite. Undo: drops the columns while github_commit and idempotency_key are null
-- and attempt, retry_count and priority are 0; the queue's other columns are dropped with their values.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore prefer-bigint-over-int: counts the attempts at one generation
-- squawk-ignore prefer-bigint-over-smallint: a handful of retries, priorities and failures
alter table public.generation_requests
  add column github_commit text,
  add column attempt integer not null default 0,
  add column retry_count smallint not null default 0,
  add column priority smallint not null default 0,
  add column queue_at timestamptz not null default now(),
  add column idempotency_key text,
  add column available_at timestamptz,
  add column failure_count smallint not null default 0;

comment on column public.generation_requests.github_commit is 'SHA of the commit with its result; null until it exists.';
comment on column public.generation_requests.attempt is 'Increases with every claim. The writes of a worker name its attempt, and match no row after another claim.';
comment on column public.generation_requests.retry_count is 'How often its user has retried it after a failure. Not writable by users.';
comment on column public.generation_requests.priority is 'Higher is claimed first. Written by services only.';
comment on column public.generation_requests.idempotency_key is 'Chosen by the caller; the same key enqueues once per user. Null: none.';
comment on column public.generation_requests.queue_at is 'Its position in the queue: among equal priorities the earliest is claimed first. An order, not a start time.';
comment on column public.generation_requests.available_at is 'While queued after a failed attempt: not claimed before this time. Null: available.';
comment on column public.generation_requests.failure_count is 'How many attempts have failed or lost their worker since it was last enqueued, retried or resumed.';

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows(
  'public.generation_requests',
  'github_commit is not null or attempt <> 0 or retry_count <> 0 or priority <> 0 or idempotency_key is not null'
);
alter table public.generation_requests
  drop column failure_count,
  drop column available_at,
  drop column idempotency_key,
  drop column queue_at,
  drop column priority,
  drop column retry_count,
  drop column attempt,
  drop column github_commit;
