-- A generation's snapshots in order, and what its foreign key needs when a generation is deleted.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently iteration_snapshots_user_id_generation_request_id_id_idx on public.iteration_snapshots (user_id, generation_request_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.iteration_snapshots_user_id_generation_request_id_id_idx;
