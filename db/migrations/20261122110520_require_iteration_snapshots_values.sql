-- Contract: sets NOT NULL, proven by the validated check, which is then dropped.
-- Locks: ACCESS EXCLUSIVE, briefly. Undo: the columns accept null again; the check is added unvalidated, so applying this
-- file again scans the table under its lock.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore adding-not-nullable-field: proven by a validated check, so no scan
alter table public.iteration_snapshots
  alter column user_id set not null,
  alter column generation_request_id set not null,
  alter column iteration_number set not null,
  alter column snapshot_type set not null,
  alter column "timestamp" set not null;

alter table public.iteration_snapshots drop constraint iteration_snapshots_required_values_check;

-- migrate:down
set local lock_timeout = '3s';

alter table public.iteration_snapshots
  add constraint iteration_snapshots_required_values_check check (
    user_id is not null and generation_request_id is not null and iteration_number is not null
    and snapshot_type is not null and "timestamp" is not null
  ) not valid;

alter table public.iteration_snapshots
  alter column user_id drop not null,
  alter column generation_request_id drop not null,
  alter column iteration_number drop not null,
  alter column snapshot_type drop not null,
  alter column "timestamp" drop not null;
