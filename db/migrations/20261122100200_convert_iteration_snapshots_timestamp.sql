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
    -- On a server in another zone than UTC `now()` wrote local times; the stored times do not show which.
    if v_zone is null and current_setting('TimeZone') !~* '^(etc/)?(utc|gmt|uct|universal|zulu)$' then
      raise exception using
        errcode = 'LEO10',
        message = format('the times of iteration_snapshots have no time zone, and the time zone of this database is %s (make adopt time_zone=…)', current_setting('TimeZone')),
        hint = 'State the zone of the stored times: make adopt time_zone=UTC, or time_zone=Europe/Berlin.';
    end if;
  end if;
  perform set_config('timezone', coalesce(v_zone, 'UTC'), true);
end
$$;

-- squawk-ignore changing-column-type: in a UTC session the table is not rewritten
alter table public.iteration_snapshots
  alter column "timestamp" type timestamptz,
  alter column "timestamp" set default now();

comment on type public.snapshot_type is 'What caused a snapshot.';
comment on table public.iteration_snapshots is 'Checkpoints of a generation: all files after an iteration.';
comment on column public.iteration_snapshots.id is 'Increases with every snapshot; gaps are normal.';
comment on column public.iteration_snapshots.generation_request_id is 'The generation of the snapshot.';
comment on column public.iteration_snapshots.iteration_number is 'The iteration after which it was taken; 0: before the first.';
comment on column public.iteration_snapshots.snapshot_type is 'What caused it.';
comment on column public.iteration_snapshots.files_snapshot is 'All files as a JSON object of path to content. Text, because old rows have values that jsonb rejects.';
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
