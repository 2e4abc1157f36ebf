-- How a service learns whether the database is new enough for the package that it was built with: the newest migration
-- that is applied, in whatever way this database was made. db/schema.sql brings the bookkeeping along, and a migration
-- is recorded when it is done, so an upgrade that stopped half way says how far it came.
-- Two functions: the one that may read the bookkeeping stays out of the exposed schema. The other calls it in a body that
-- was parsed here, so its callers need no right to `private`; they need EXECUTE on both.
-- Deliberately absent: anon, which runs no service.
-- Locks: none. Undo: drops the functions; checkSchema() of the package then says that the database is too old.

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
  'The newest applied migration. Definer: nobody else may read the bookkeeping.';

create function public.schema_version()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
begin atomic
  select private.schema_version();
end;

comment on function public.schema_version() is
  'The version of this schema: that of its newest migration, 14 digits.';

grant execute on function private.schema_version() to authenticated, service_role, leo_api;
grant execute on function public.schema_version() to authenticated, service_role, leo_api;

-- migrate:down
set local lock_timeout = '3s';

drop function public.schema_version();
drop function private.schema_version();
