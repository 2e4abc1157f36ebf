-- Expand: finds the requests of a user; later the target of the children's foreign keys.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create unique index concurrently generation_requests_user_id_id_key on public.generation_requests (user_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_id_key;
