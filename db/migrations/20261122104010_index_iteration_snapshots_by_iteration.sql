-- Expand: finds the snapshots of a generation before they have an owner, and duplicates. Dropped after the upgrade.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create index concurrently iteration_snapshots_generation_request_id_iteration_number_idx on public.iteration_snapshots (generation_request_id, iteration_number);

-- migrate:down transaction:false
drop index concurrently if exists public.iteration_snapshots_generation_request_id_iteration_number_idx;
