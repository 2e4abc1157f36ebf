-- Finds what a worker takes next. Partial, so its size follows the queue, not the history.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create index concurrently generation_requests_priority_queue_at_id_queued_idx on public.generation_requests (priority desc, queue_at, id)
  where status = 'queued';

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_priority_queue_at_id_queued_idx;
