-- A user's newest events, page by page. Without it a user who has not done anything for a while makes PostgreSQL walk the
-- primary key backwards through everybody else's.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently generation_events_user_id_id_idx on public.generation_events (user_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.generation_events_user_id_id_idx;
