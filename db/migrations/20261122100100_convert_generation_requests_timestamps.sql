-- Converts the times of generation_requests to timestamptz, before any trigger, index or check refers to them, and
-- comments the table; a live database adopts the baseline without running it, so the comments cannot be there.
-- In a UTC session, without USING, the stored bytes stay valid and the table is not rewritten. All columns are in one
-- ALTER, so that indexes on them are rebuilt once. The defaults are set again, because an old `timezone('utc', now())`
-- would survive and store wrong times. In another time zone (`make adopt time_zone=…`) the table is rewritten.
-- Locks: ACCESS EXCLUSIVE, short in UTC unless indexes cover these columns; in another zone for the length of the rewrite.
-- Undo: converts back, in UTC; defaults that the live table had before are not restored.

-- migrate:up
set local lock_timeout = '3s';

do $$
declare
  v_zone text;
begin
  if exists (
    select from pg_catalog.pg_attribute
    where attrelid = 'public.generation_requests'::regclass and atttypid = 'timestamp'::regtype
      and attname in ('created_at', 'updated_at', 'completed_at')
  ) and exists (select from public.generation_requests) then
    if to_regclass('dbmate.upgrade_answers') is not null then
      select answer into v_zone from dbmate.upgrade_answers where question = 'time_zone';
    end if;
    -- On a server in another zone than UTC `now()` wrote local times; the stored times do not show which.
    if v_zone is null and current_setting('TimeZone') !~* '^(etc/)?(utc|gmt|uct|universal|zulu)$' then
      raise exception using
        errcode = 'LEO10',
        message = format('the times of generation_requests have no time zone, and the time zone of this database is %s (make adopt time_zone=…)', current_setting('TimeZone')),
        hint = 'State the zone of the stored times: make adopt time_zone=UTC, or time_zone=Europe/Berlin.';
    end if;
  end if;
  perform set_config('timezone', coalesce(v_zone, 'UTC'), true);
end
$$;

-- squawk-ignore changing-column-type: in a UTC session the table is not rewritten
alter table public.generation_requests
  alter column created_at type timestamptz,
  alter column updated_at type timestamptz,
  alter column completed_at type timestamptz,
  alter column created_at set default now(),
  alter column updated_at set default now();

comment on type public.generation_status is 'The status of a generation; the status machine decides which changes are allowed.';
comment on type public.generation_mode is 'How much a generation does before it asks its user.';
comment on type public.generation_type is 'Whether a generation starts a new session or resumes an earlier one.';
comment on table public.generation_requests is 'The generations of apps, one row each: versions, history and, while queued, the job queue.';
comment on column public.generation_requests.id is 'Increases with every request; gaps are normal.';
comment on column public.generation_requests.app_id is 'The app that this generation builds.';
comment on column public.generation_requests.user_id is 'The Supabase Auth user who owns the app.';
comment on column public.generation_requests.app_name is 'Display name of the app when the generation was enqueued; not changed by a later rename.';
comment on column public.generation_requests.prompt is 'The prompt of the user.';
comment on column public.generation_requests.initial_prompt is 'The first prompt that started the generation.';
comment on column public.generation_requests.status is 'The current status.';
comment on column public.generation_requests.generation_type is 'A new session, or a resumed one.';
comment on column public.generation_requests.mode is 'How much it does before it asks the user.';
comment on column public.generation_requests.github_url is 'URL of the app''s GitHub repository; null until it exists.';
comment on column public.generation_requests.deployment_url is 'URL of the app on Fly.io; null until it is deployed.';
comment on column public.generation_requests.error_message is 'Why it failed; kept during a retry.';
comment on column public.generation_requests.max_iterations is 'The maximum number of iterations.';
comment on column public.generation_requests.current_iteration is 'The number of iterations so far.';
comment on column public.generation_requests.last_session_id is 'The session from which its context can be resumed.';
comment on column public.generation_requests.created_at is 'When it was enqueued.';
comment on column public.generation_requests.updated_at is 'When the row last changed.';
comment on column public.generation_requests.completed_at is 'When it completed, failed or was cancelled; null in every other status, so a retry sets it to null.';

-- migrate:down
set local lock_timeout = '3s';

set local timezone = 'UTC';

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
comment on type public.generation_type is null;
comment on type public.generation_mode is null;
comment on type public.generation_status is null;

alter table public.generation_requests
  alter column created_at drop default,
  alter column updated_at drop default,
  alter column created_at type timestamp,
  alter column updated_at type timestamp,
  alter column completed_at type timestamp;
