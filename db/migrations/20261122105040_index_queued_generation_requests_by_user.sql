-- How many generations a user has in the queue, and where the last one stands.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently generation_requests_user_id_queue_at_queued_idx on public.generation_requests (user_id, queue_at)
  where status = 'queued';

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_queue_at_queued_idx;
