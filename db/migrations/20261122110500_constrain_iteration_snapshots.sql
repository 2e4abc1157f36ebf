-- Contract: adds the rules of every snapshot: the checks, and the foreign key to generation_requests, which has the owner
-- in it. NOT VALID: the next file validates the existing rows.
-- Deliberately absent: a check of files_snapshot, because old rows have texts that no JSON function accepts; uniqueness of
-- (request, iteration, type), because the same content may be saved twice.
-- generation_requests is locked first: a worker updates its request and then inserts the snapshot, and the reverse can
-- deadlock with it. It stays locked while this waits for iteration_snapshots, so the time limit is one second.
-- Locks: SHARE ROW EXCLUSIVE on generation_requests, then ACCESS EXCLUSIVE on iteration_snapshots, briefly, no scan.
-- Undo: drops them, under ACCESS EXCLUSIVE on both, in the same order.

-- migrate:up
set local lock_timeout = '1s';

lock table public.generation_requests in share row exclusive mode;
alter table public.iteration_snapshots
  add constraint iteration_snapshots_required_values_check check (
    user_id is not null and generation_request_id is not null and iteration_number is not null
    and snapshot_type is not null and "timestamp" is not null
  ) not valid,
  add constraint iteration_snapshots_iteration_number_not_negative_check check (iteration_number >= 0) not valid,
  add constraint iteration_snapshots_metadata_is_object_check check (jsonb_typeof(metadata) = 'object') not valid,
  add constraint iteration_snapshots_user_id_generation_request_id_fkey foreign key (user_id, generation_request_id)
    references public.generation_requests (user_id, id) on delete cascade not valid;

comment on index public.iteration_snapshots_user_id_generation_request_id_id_idx is
  'Serves the foreign key to generation_requests, and finds a generation''s snapshots in order.';

-- migrate:down
set local lock_timeout = '1s';

lock table public.generation_requests in access exclusive mode;
comment on index public.iteration_snapshots_user_id_generation_request_id_id_idx is null;
alter table public.iteration_snapshots
  drop constraint iteration_snapshots_user_id_generation_request_id_fkey,
  drop constraint iteration_snapshots_metadata_is_object_check,
  drop constraint iteration_snapshots_iteration_number_not_negative_check,
  drop constraint iteration_snapshots_required_values_check;
