-- What a worker takes next. Partial, so that it stays as small as the queue however long the history grows.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently generation_requests_priority_queue_at_id_queued_idx on public.generation_requests (priority desc, queue_at, id)
  where status = 'queued';

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_priority_queue_at_id_queued_idx;
