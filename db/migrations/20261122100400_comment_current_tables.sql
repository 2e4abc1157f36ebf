-- What the two tables and their columns mean, for people and for the generated types. Apart from the baseline, which a
-- live database adopts without running it.
-- Locks: SHARE UPDATE EXCLUSIVE for an instant. Undo: takes the comments away.

-- migrate:up
set local lock_timeout = '3s';

comment on type public.generation_status is 'Where a generation stands; which moves are legal is the status machine''s business.';
comment on type public.generation_mode is 'How much a generation does between two questions to its user.';
comment on type public.generation_type is 'Whether a generation starts from nothing or from an earlier session.';
comment on type public.snapshot_type is 'Who asked for a snapshot.';
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
comment on table public.iteration_snapshots is 'Checkpoints within a generation: all files as they stood after an iteration.';
comment on column public.iteration_snapshots.id is 'Rises with every snapshot; gaps are normal.';
comment on column public.iteration_snapshots.generation_request_id is 'The generation that was checkpointed.';
comment on column public.iteration_snapshots.iteration_number is 'The iteration after which it was taken; 0 is before the first.';
comment on column public.iteration_snapshots.snapshot_type is 'Who asked for it.';
comment on column public.iteration_snapshots.files_snapshot is 'JSON object of path to content, for all files. Text, because old rows hold what jsonb refuses.';
comment on column public.iteration_snapshots.prompt_used is 'The prompt of the iteration.';
comment on column public.iteration_snapshots."timestamp" is 'When it was taken.';
comment on column public.iteration_snapshots.metadata is 'Tokens, duration and changed files of the iteration.';

-- migrate:down
set local lock_timeout = '3s';

comment on column public.iteration_snapshots.metadata is null;
comment on column public.iteration_snapshots."timestamp" is null;
comment on column public.iteration_snapshots.prompt_used is null;
comment on column public.iteration_snapshots.files_snapshot is null;
comment on column public.iteration_snapshots.snapshot_type is null;
comment on column public.iteration_snapshots.iteration_number is null;
comment on column public.iteration_snapshots.generation_request_id is null;
comment on column public.iteration_snapshots.id is null;
comment on table public.iteration_snapshots is null;
comment on column public.generation_requests.completed_at is null;
comment on column public.generation_requests.updated_at is null;
comment on column public.generation_requests.created_at is null;
comment on column public.generation_requests.last_session_id is null;
comment on column public.generation_requests.current_iteration is null;
comment on column public.generation_requests.max_iterations is null;
comment on column public.generation_requests.error_message is null;
comment on column public.generation_requests.deployment_url is null;
comment on column public.generation_requests.github_url is null;
comment on column public.generation_requests.mode is null;
comment on column public.generation_requests.generation_type is null;
comment on column public.generation_requests.status is null;
comment on column public.generation_requests.initial_prompt is null;
comment on column public.generation_requests.prompt is null;
comment on column public.generation_requests.app_name is null;
comment on column public.generation_requests.user_id is null;
comment on column public.generation_requests.app_id is null;
comment on column public.generation_requests.id is null;
comment on table public.generation_requests is null;
comment on type public.snapshot_type is null;
comment on type public.generation_type is null;
comment on type public.generation_mode is null;
comment on type public.generation_status is null;
