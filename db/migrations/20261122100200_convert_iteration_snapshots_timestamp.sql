-- Converts the time of iteration_snapshots to timestamptz and comments the table, like the file before. A separate
-- transaction, so that only one table is locked at a time.
-- Locks: ACCESS EXCLUSIVE, short in UTC; in another zone for the length of the rewrite.
-- Undo: converts back, in UTC; a default that the live table had before is not restored.

-- migrate:up
set local lock_timeout = '3s';

do $$
declare
  v_zone text;
begin
  if exists (
    select from pg_catalog.pg_attribute
    where attrelid = 'public.iteration_snapshots'::regclass and attname = 'timestamp' and atttypid = 'timestamp'::regtype
  ) and exists (select from public.iteration_snapshots) then
    if to_regclass('dbmate.upgrade_answers') is not null then
      select answer into v_zone from dbmate.upgrade_answers where question = 'time_zone';
    end if;
    -- `now()` wrote local times wherever the server's zone was not UTC, and nothing here can tell.
    if v_zone is null and current_setting('TimeZone') !~* '^(etc/)?(utc|gmt|uct|universal|zulu)$' then
      raise exception using
        errcode = 'LEO10',
        message = format('the times of iteration_snapshots have no zone, and this database is in %s (make adopt time_zone=…)', current_setting('TimeZone')),
        hint = 'Say which zone they are in: make adopt time_zone=UTC, or time_zone=Europe/Berlin.';
    end if;
  end if;
  perform set_config('timezone', coalesce(v_zone, 'UTC'), true);
end
$$;

-- squawk-ignore changing-column-type: in a UTC session this rewrites nothing
alter table public.iteration_snapshots
  alter column "timestamp" type timestamptz,
  alter column "timestamp" set default now();

comment on type public.snapshot_type is 'Who asked for a snapshot.';
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

set local timezone = 'UTC';

comment on column public.iteration_snapshots.metadata is null;
comment on column public.iteration_snapshots."timestamp" is null;
comment on column public.iteration_snapshots.prompt_used is null;
comment on column public.iteration_snapshots.files_snapshot is null;
comment on column public.iteration_snapshots.snapshot_type is null;
comment on column public.iteration_snapshots.iteration_number is null;
comment on column public.iteration_snapshots.generation_request_id is null;
comment on column public.iteration_snapshots.id is null;
comment on table public.iteration_snapshots is null;
comment on type public.snapshot_type is null;

alter table public.iteration_snapshots
  alter column "timestamp" drop default,
  alter column "timestamp" type timestamp;
