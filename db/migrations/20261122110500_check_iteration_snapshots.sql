-- Contract: what holds for every snapshot. NOT VALID first, so that the lock lasts an instant.
-- Deliberately absent: a check of files_snapshot, because old rows hold texts that no JSON function accepts, and
-- uniqueness of (request, iteration, type), for which the same content may well be saved twice.
-- Locks: ACCESS EXCLUSIVE for an instant, no scan. Undo: drops the constraints.

-- migrate:up
set local lock_timeout = '3s';

alter table public.iteration_snapshots
  add constraint iteration_snapshots_required_values_check check (
    user_id is not null and generation_request_id is not null and iteration_number is not null
    and snapshot_type is not null and "timestamp" is not null
  ) not valid,
  add constraint iteration_snapshots_iteration_number_not_negative_check check (iteration_number >= 0) not valid,
  add constraint iteration_snapshots_metadata_is_object_check check (jsonb_typeof(metadata) = 'object') not valid;

comment on index public.iteration_snapshots_user_id_generation_request_id_id_idx is
  'Serves the foreign key to generation_requests, and a generation''s snapshots in order.';

-- migrate:down
set local lock_timeout = '3s';

alter table public.iteration_snapshots
  drop constraint iteration_snapshots_required_values_check,
  drop constraint iteration_snapshots_iteration_number_not_negative_check,
  drop constraint iteration_snapshots_metadata_is_object_check;
