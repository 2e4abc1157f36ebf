-- Naive timestamps become timestamptz, first of all: every later trigger, index and check then sees one kind of time.
-- In a UTC session and without USING the stored bytes are already right, so the table is not rewritten; all columns go
-- in one ALTER, so that indexes on them are rebuilt once. The defaults are set anew because an old
-- `timezone('utc', now())` would survive and store wrong instants.
-- Locks: ACCESS EXCLUSIVE, short unless indexes cover these columns. Undo: the same, back; a
-- default that the live table had before is not known any more and not brought back.

-- migrate:up
set local lock_timeout = '3s';

do $$
begin
  -- `now()` wrote local times wherever the server's zone was not UTC, and nothing here can tell.
  if current_setting('TimeZone') !~* '^(etc/)?(utc|gmt|uct|universal|zulu)$'
    and exists (
      select from pg_catalog.pg_attribute
      where attrelid = 'public.generation_requests'::regclass and attname = 'created_at' and atttypid = 'timestamp'::regtype
    )
    and exists (select from public.generation_requests)
  then
    raise exception using
      errcode = 'LEO10',
      message = format('the times of generation_requests have no zone, and this database is in %s', current_setting('TimeZone')),
      hint = 'If they are in UTC, say so: alter database <name> set timezone to ''UTC''. If not, convert them first.';
  end if;
end
$$;

set local timezone = 'UTC';

-- squawk-ignore changing-column-type: in a UTC session this rewrites nothing
alter table public.generation_requests
  alter column created_at type timestamptz,
  alter column updated_at type timestamptz,
  alter column completed_at type timestamptz,
  alter column created_at set default now(),
  alter column updated_at set default now();

-- migrate:down
set local lock_timeout = '3s';
set local timezone = 'UTC';

alter table public.generation_requests
  alter column created_at drop default,
  alter column updated_at drop default,
  alter column created_at type timestamp,
  alter column updated_at type timestamp,
  alter column completed_at type timestamp;
