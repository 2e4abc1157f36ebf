-- Finds an app's generations in order; required by the foreign key when an app is deleted.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create index concurrently generation_requests_user_id_app_id_id_idx on public.generation_requests (user_id, app_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_app_id_id_idx;
