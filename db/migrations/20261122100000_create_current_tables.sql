-- Baseline: the enums and the two tables as the live database has them. A live database adopts this file (`make adopt`
-- records it as applied); a new database runs it.
-- Deliberately absent: NOT NULL, defaults, foreign keys, checks, policies and grants. Later files add them in steps that
-- a running service survives.
-- Locks: none on existing tables. Undo: drops the tables if they are empty.

-- migrate:up
set local lock_timeout = '3s';

create type public.generation_status as enum ('queued', 'generating', 'completed', 'failed', 'paused', 'cancelled');
create type public.generation_mode as enum ('single-shot', 'autonomous', 'confirm_first');
create type public.generation_type as enum ('new', 'resume');
create type public.snapshot_type as enum ('automatic', 'manual', 'checkpoint');

-- squawk-ignore prefer-bigint-over-int: as in the live tables
-- squawk-ignore prefer-identity: as in the live tables
-- squawk-ignore prefer-timestamp-tz: as in the live tables; the next files convert them
create table public.generation_requests (
  id serial,
  app_id uuid,
  user_id uuid,
  app_name text,
  prompt text,
  initial_prompt text,
  status public.generation_status,
  generation_type public.generation_type,
  mode public.generation_mode,
  github_url text,
  deployment_url text,
  error_message text,
  max_iterations integer,
  current_iteration integer,
  last_session_id text,
  created_at timestamp,
  updated_at timestamp,
  completed_at timestamp,
  constraint generation_requests_pkey primary key (id)
);

-- squawk-ignore prefer-bigint-over-int: as in the live tables
-- squawk-ignore prefer-identity: as in the live tables
-- squawk-ignore prefer-timestamp-tz: as in the live tables; the next files convert them
create table public.iteration_snapshots (
  id serial,
  generation_request_id integer,
  iteration_number integer,
  snapshot_type public.snapshot_type,
  files_snapshot text,
  prompt_used text,
  "timestamp" timestamp,
  metadata jsonb,
  constraint iteration_snapshots_pkey primary key (id)
);

revoke all on public.generation_requests, public.iteration_snapshots from public, anon, authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

lock table public.generation_requests, public.iteration_snapshots in access exclusive mode;

do $$
begin
  if exists (select from public.generation_requests) or exists (select from public.iteration_snapshots) then
    raise exception using
      errcode = 'LEO08',
      message = 'generation_requests or iteration_snapshots has rows, which the rollback would delete',
      hint = 'Move the rows away first.';
  end if;
end
$$;

drop table public.iteration_snapshots;
drop table public.generation_requests;
drop type public.snapshot_type;
drop type public.generation_type;
drop type public.generation_mode;
drop type public.generation_status;
