-- Expand: goes through the requests user by user; later the target of the children's foreign keys.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create unique index concurrently generation_requests_user_id_id_key on public.generation_requests (user_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_id_key;
