-- Finds a user's queued generations and the position of the last one.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create index concurrently generation_requests_user_id_queue_at_queued_idx on public.generation_requests (user_id, queue_at)
  where status = 'queued';

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_queue_at_queued_idx;
