-- The same for the snapshots, in a transaction of its own so that never more than one table is locked.
-- Locks: ACCESS EXCLUSIVE, short; in another zone than UTC for as long as the rewrite takes. Undo: the same, back in UTC; a
-- default that the live table had before is not brought back.

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

-- migrate:down
set local lock_timeout = '3s';
set local timezone = 'UTC';

alter table public.iteration_snapshots
  alter column "timestamp" drop default,
  alter column "timestamp" type timestamp;
