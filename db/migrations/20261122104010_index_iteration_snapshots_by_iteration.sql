-- Expand: finds the snapshots of a generation while they have no owner yet, and those that are there twice. Gone with the
-- upgrade.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently iteration_snapshots_generation_request_id_iteration_number_idx on public.iteration_snapshots (generation_request_id, iteration_number);

-- migrate:down transaction:false
drop index concurrently if exists public.iteration_snapshots_generation_request_id_iteration_number_idx;
