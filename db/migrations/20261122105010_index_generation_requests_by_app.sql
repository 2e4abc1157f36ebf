-- An app's generations, newest last; also what its foreign key needs when an app is deleted.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently generation_requests_user_id_app_id_id_idx on public.generation_requests (user_id, app_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_app_id_id_idx;
