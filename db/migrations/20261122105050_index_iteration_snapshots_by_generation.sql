-- Finds a generation's snapshots in order; required by the foreign key when a generation is deleted.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create index concurrently iteration_snapshots_user_id_generation_request_id_id_idx on public.iteration_snapshots (user_id, generation_request_id, id);

-- migrate:down transaction:false
drop index concurrently if exists public.iteration_snapshots_user_id_generation_request_id_id_idx;
