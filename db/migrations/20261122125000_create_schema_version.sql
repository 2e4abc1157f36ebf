-- Creates the version of the schema: the newest applied migration, with which a service checks that the database is new
-- enough. db/schema.sql contains the bookkeeping, and a migration is recorded when it is done, so a stopped upgrade
-- reports how far it came.
-- Two functions: the one that reads the bookkeeping is not in the exposed schema. The other has a parsed body, so its
-- callers need EXECUTE on both but no access to `private`.
-- Deliberately absent: a grant to anon.
-- Locks: none. Undo: drops the functions; checkSchema() then reports that the database is too old.

-- migrate:up
set local lock_timeout = '3s';

create function private.schema_version()
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return (select max(m.version) from dbmate.schema_migrations as m);
end
$$;

comment on function private.schema_version() is
  'The newest applied migration. SECURITY DEFINER: other roles may not read the bookkeeping.';

create function public.schema_version()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
  select private.schema_version();
end;

comment on function public.schema_version() is
  'The version of this schema: the version of its newest migration, 14 digits.';

grant execute on function private.schema_version() to authenticated, service_role, leo_api;
grant execute on function public.schema_version() to authenticated, service_role, leo_api;

-- migrate:down
set local lock_timeout = '3s';

drop function public.schema_version();
drop function private.schema_version();
