-- The baseline: the enums and the two tables that the live database already has, as they stand there. A live database
-- adopts this file (it is recorded as applied, never run); a fresh one starts from it.
-- Deliberately absent: NOT NULL, defaults, foreign keys, checks, policies. Later files add each of them in a step that a
-- running service survives; stating them here would describe a database that nobody has. Nor is anything granted: a
-- fresh database opens with the later files, and what a live one grants is taken back there.
-- Locks: none that matter, everything is new. Undo: drops the tables while they are empty, refuses otherwise.

-- migrate:up
set local lock_timeout = '3s';

create type public.generation_status as enum ('queued', 'generating', 'completed', 'failed', 'paused', 'cancelled');
create type public.generation_mode as enum ('single-shot', 'autonomous', 'confirm_first');
create type public.generation_type as enum ('new', 'resume');
create type public.snapshot_type as enum ('automatic', 'manual', 'checkpoint');

comment on type public.generation_status is 'Where a generation stands; which moves are legal is the status machine''s business.';
comment on type public.generation_mode is 'How much a generation does between two questions to its user.';
comment on type public.generation_type is 'Whether a generation starts from nothing or from an earlier session.';
comment on type public.snapshot_type is 'Who asked for a snapshot.';

-- squawk-ignore prefer-bigint-over-int: the live tables are like this
-- squawk-ignore prefer-identity: the live tables are like this
-- squawk-ignore prefer-timestamp-tz: the live tables are like this; the next files convert them
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

comment on table public.generation_requests is 'The generations of an app, one row each: its versions, its history and, while queued, the job queue.';
comment on column public.generation_requests.id is 'Rises with every request; gaps are normal.';
comment on column public.generation_requests.app_id is 'The app that this generation builds.';
comment on column public.generation_requests.user_id is 'The Supabase Auth user who owns the app.';
comment on column public.generation_requests.app_name is 'Display name of the app when the generation was enqueued; a later rename leaves it.';
comment on column public.generation_requests.prompt is 'What the user asked for.';
comment on column public.generation_requests.initial_prompt is 'The first prompt that started the generation.';
comment on column public.generation_requests.status is 'Where the generation stands.';
comment on column public.generation_requests.generation_type is 'Started from nothing, or from an earlier session.';
comment on column public.generation_requests.mode is 'How much it does between two questions to the user.';
comment on column public.generation_requests.github_url is 'The app''s GitHub repository; null until there is one.';
comment on column public.generation_requests.deployment_url is 'Where the app runs on Fly.io; null until it is deployed.';
comment on column public.generation_requests.error_message is 'Why it failed; kept when it is tried again.';
comment on column public.generation_requests.max_iterations is 'How many iterations it may take.';
comment on column public.generation_requests.current_iteration is 'How many iterations it has taken.';
comment on column public.generation_requests.last_session_id is 'The session to resume its context from.';
comment on column public.generation_requests.created_at is 'When it was enqueued.';
comment on column public.generation_requests.updated_at is 'When the row last changed.';
comment on column public.generation_requests.completed_at is 'When it completed, failed or was cancelled; null in every other status, so a retry clears it.';

-- squawk-ignore prefer-bigint-over-int: the live tables are like this
-- squawk-ignore prefer-identity: the live tables are like this
-- squawk-ignore prefer-timestamp-tz: the live tables are like this; the next files convert them
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

comment on table public.iteration_snapshots is 'Checkpoints within a generation: all files as they stood after an iteration.';
comment on column public.iteration_snapshots.id is 'Rises with every snapshot; gaps are normal.';
comment on column public.iteration_snapshots.generation_request_id is 'The generation that was checkpointed.';
comment on column public.iteration_snapshots.iteration_number is 'The iteration after which it was taken; 0 is before the first.';
comment on column public.iteration_snapshots.snapshot_type is 'Who asked for it.';
comment on column public.iteration_snapshots.files_snapshot is 'JSON object of path to content, for all files. Text, because old rows hold what jsonb refuses.';
comment on column public.iteration_snapshots.prompt_used is 'The prompt of the iteration.';
comment on column public.iteration_snapshots."timestamp" is 'When it was taken.';
comment on column public.iteration_snapshots.metadata is 'Tokens, duration and changed files of the iteration.';

revoke all on public.generation_requests, public.iteration_snapshots from public, anon, authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

lock table public.generation_requests, public.iteration_snapshots in access exclusive mode;

do $$
begin
  if exists (select from public.generation_requests) or exists (select from public.iteration_snapshots) then
    raise exception using
      errcode = 'LEO08',
      message = 'generation_requests or iteration_snapshots still has rows, which this step would lose',
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
