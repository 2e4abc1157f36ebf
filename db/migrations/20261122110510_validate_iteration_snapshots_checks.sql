-- Contract: the old snapshots are held to it too, while writers go on.
-- Locks: SHARE UPDATE EXCLUSIVE, one scan for all of them, since they are in one statement. Undo: nothing to undo.

-- migrate:up
set local lock_timeout = '3s';

alter table public.iteration_snapshots
  validate constraint iteration_snapshots_required_values_check,
  validate constraint iteration_snapshots_iteration_number_not_negative_check,
  validate constraint iteration_snapshots_metadata_is_object_check;

-- migrate:down
select 'validated constraints stay validated';
