-- Drops the index that the backfill used before snapshots had an owner; (user_id, generation_request_id, id) replaces it.
-- Locks: SHARE UPDATE EXCLUSIVE; outside a transaction, so alone in its file. Undo: builds it again.

-- migrate:up transaction:false
drop index concurrently if exists public.iteration_snapshots_generation_request_id_iteration_number_idx;

-- migrate:down transaction:false
create index concurrently iteration_snapshots_generation_request_id_iteration_number_idx on public.iteration_snapshots (generation_request_id, iteration_number);
