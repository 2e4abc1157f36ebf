-- Naive timestamps become timestamptz, first of all: every later trigger, index and check then sees one kind of time.
-- In a UTC session and without USING the stored bytes are already right, so the table is not rewritten; all columns go
-- in one ALTER, so that indexes on them are rebuilt once. The defaults are set anew because an old
-- `timezone('utc', now())` would survive and store wrong instants.
-- Where the times are in another zone, the operator has said so by `make adopt time_zone=…`, and the table is rewritten.
-- Locks: ACCESS EXCLUSIVE; short in UTC unless indexes cover these columns, in another zone for as long as the rewrite
-- takes. Undo: the same, back in UTC; a default that the live table had before is not known any more and not brought back.

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
    -- `now()` wrote local times wherever the server's zone was not UTC, and nothing here can tell.
    if v_zone is null and current_setting('TimeZone') !~* '^(etc/)?(utc|gmt|uct|universal|zulu)$' then
      raise exception using
        errcode = 'LEO10',
        message = format('the times of generation_requests have no zone, and this database is in %s (make adopt time_zone=…)', current_setting('TimeZone')),
        hint = 'Say which zone they are in: make adopt time_zone=UTC, or time_zone=Europe/Berlin.';
    end if;
  end if;
  perform set_config('timezone', coalesce(v_zone, 'UTC'), true);
end
$$;

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
