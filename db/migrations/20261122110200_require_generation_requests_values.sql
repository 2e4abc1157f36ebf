-- Contract: sets NOT NULL, and defaults for what a caller may leave out. The check that was just validated proves it, so no
-- scan is needed; the check is then redundant and dropped.
-- Deliberately absent: a default for mode, which is the user's decision.
-- Locks: ACCESS EXCLUSIVE, briefly. Undo: the columns accept null again; the check is added unvalidated, so applying this
-- file again scans the table under its lock.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore adding-not-nullable-field: proven by a validated check, so no scan
alter table public.generation_requests
  alter column user_id set not null,
  alter column app_id set not null,
  alter column app_name set not null,
  alter column prompt set not null,
  alter column status set not null,
  alter column status set default 'queued',
  alter column generation_type set not null,
  alter column generation_type set default 'new',
  alter column mode set not null,
  alter column max_iterations set not null,
  alter column max_iterations set default 10,
  alter column current_iteration set not null,
  alter column current_iteration set default 0,
  alter column created_at set not null,
  alter column updated_at set not null;

alter table public.generation_requests drop constraint generation_requests_required_values_check;

-- migrate:down
set local lock_timeout = '3s';

alter table public.generation_requests
  add constraint generation_requests_required_values_check check (
    user_id is not null and app_id is not null and app_name is not null and prompt is not null and status is not null
    and generation_type is not null and mode is not null and max_iterations is not null and current_iteration is not null
    and created_at is not null and updated_at is not null
  ) not valid;

alter table public.generation_requests
  alter column user_id drop not null,
  alter column app_id drop not null,
  alter column app_name drop not null,
  alter column prompt drop not null,
  alter column status drop not null,
  alter column status drop default,
  alter column generation_type drop not null,
  alter column generation_type drop default,
  alter column mode drop not null,
  alter column max_iterations drop not null,
  alter column max_iterations drop default,
  alter column current_iteration drop not null,
  alter column current_iteration drop default,
  alter column created_at drop not null,
  alter column updated_at drop not null;
