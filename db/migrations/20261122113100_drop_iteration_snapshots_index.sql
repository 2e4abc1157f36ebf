-- What the backfill found snapshots by before they had an owner; now (user_id, generation_request_id, id) does.
-- Locks: SHARE UPDATE EXCLUSIVE; alone in its file, for it runs outside a transaction. Undo: builds it again.

-- migrate:up transaction:false
drop index concurrently if exists public.iteration_snapshots_generation_request_id_iteration_number_idx;

-- migrate:down transaction:false
create index concurrently iteration_snapshots_generation_request_id_iteration_number_idx on public.iteration_snapshots (generation_request_id, iteration_number);
