-- What a queue needs to try again later: how often a generation has failed, and from when on it may be taken again. A
-- row that waits is queued like any other, so that its user can pause and cancel it.
-- failure_count is not retry_count: this one counts what workers report, that one how often its user has asked again.
-- queue_at is from here on a place in the queue, no time: see what orders it, in the migration after the next.
-- Deliberately absent: a grant to users; a constraint that ties available_at to the status, which the status machine does.
-- Locks: ACCESS EXCLUSIVE for an instant, no rewrite, no scan. Undo: drops the columns; what waits is due at once.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore prefer-bigint-over-smallint: a handful of failures
alter table public.generation_requests
  add column available_at timestamptz,
  add column failure_count smallint not null default 0,
  add constraint generation_requests_failure_count_not_negative_check check (failure_count >= 0) not valid;

comment on column public.generation_requests.available_at is 'While queued: not taken before this time, because an attempt has failed. Null: at once.';
comment on column public.generation_requests.failure_count is 'How often an attempt at it has failed or lost its worker since somebody queued it last.';
comment on column public.generation_requests.queue_at is 'Its place in the queue: among equal priorities the earliest is taken first. An order, not a time to wait for.';

-- migrate:down
set local lock_timeout = '3s';

comment on column public.generation_requests.queue_at is 'Not taken before this time, and among equals the earliest first.';
alter table public.generation_requests
  drop column available_at,
  drop column failure_count;
