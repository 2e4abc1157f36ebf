-- The same for the snapshots, in a transaction of its own so that never more than one table is locked.
-- Locks: ACCESS EXCLUSIVE, short; no rewrite in a UTC session. Undo: the same, back; a default
-- that the live table had before is not brought back.

-- migrate:up
set local lock_timeout = '3s';

do $$
begin
  -- `now()` wrote local times wherever the server's zone was not UTC, and nothing here can tell.
  if current_setting('TimeZone') !~* '^(etc/)?(utc|gmt|uct|universal|zulu)$'
    and exists (
      select from pg_catalog.pg_attribute
      where attrelid = 'public.iteration_snapshots'::regclass and attname = 'timestamp' and atttypid = 'timestamp'::regtype
    )
    and exists (select from public.iteration_snapshots)
  then
    raise exception using
      errcode = 'LEO10',
      message = format('the times of iteration_snapshots have no zone, and this database is in %s', current_setting('TimeZone')),
      hint = 'If they are in UTC, say so: alter database <name> set timezone to ''UTC''. If not, convert them first.';
  end if;
end
$$;

set local timezone = 'UTC';

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
