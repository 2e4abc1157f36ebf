-- Contract: validates the checks and the foreign key while reads and writes continue.
-- Locks: SHARE UPDATE EXCLUSIVE on iteration_snapshots, ROW SHARE on generation_requests; one scan for all checks, one
-- join for the key. Undo: keeps the constraints validated.

-- migrate:up
set local lock_timeout = '3s';

alter table public.iteration_snapshots
  validate constraint iteration_snapshots_required_values_check,
  validate constraint iteration_snapshots_iteration_number_not_negative_check,
  validate constraint iteration_snapshots_metadata_is_object_check,
  validate constraint iteration_snapshots_user_id_generation_request_id_fkey;

-- migrate:down
select 'validated constraints stay validated';
