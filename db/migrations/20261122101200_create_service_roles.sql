-- Creates the two roles that services log in as members of.
--   leo_api     can become `authenticated` only. NOINHERIT: outside such a transaction it has no access, so a missing
--               identity is an error. A login with this role can name any user: protect the credential.
--   leo_worker  has the grants of service_role; its logins are subject to the policies for service_role. It can also
--               become service_role, which bypasses row security on Supabase.
-- Neither may be a member of another role: predefined roles such as pg_read_all_data bypass the grants.
-- Roles are cluster-wide: another database with this schema may have created them. On PostgreSQL 16 and later a membership
-- keeps the INHERIT option that it was created with, so an existing role is checked, not altered.
-- Locks: none. Undo: revokes the usage of `private`; keeps the roles, because other databases may use them.

-- migrate:up
set local lock_timeout = '3s';

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'leo_api') then
    create role leo_api nologin noinherit;
  end if;
  if not exists (select from pg_catalog.pg_roles where rolname = 'leo_worker') then
    create role leo_worker nologin inherit;
  end if;
  if not pg_catalog.pg_has_role('leo_api', 'authenticated', 'member') then
    grant authenticated to leo_api;
  end if;
  if not pg_catalog.pg_has_role('leo_worker', 'service_role', 'member') then
    grant service_role to leo_worker;
  end if;

  if pg_catalog.pg_has_role('leo_api', 'authenticated', 'usage') then
    raise exception using
      errcode = 'LEO09',
      message = 'role leo_api inherits the rights of authenticated',
      hint = 'It must be created as NOINHERIT: drop it while no service is logged in with it, and migrate again.';
  end if;
  if exists (
    select
    from pg_catalog.pg_auth_members
    where (member, roleid) not in (
      ('leo_api'::regrole, 'authenticated'::regrole),
      ('leo_worker'::regrole, 'service_role'::regrole)
    )
      and member in ('leo_api'::regrole, 'leo_worker'::regrole)
  ) then
    raise exception using
      errcode = 'LEO09',
      message = 'role leo_api or leo_worker is a member of more than authenticated or service_role',
      hint = 'Revoke its other memberships.';
  end if;
  if not pg_catalog.pg_has_role('leo_worker', 'service_role', 'usage') then
    raise exception using
      errcode = 'LEO09',
      message = 'role leo_worker does not inherit the rights of service_role',
      hint = 'Drop the role (no service may be logged in with it) and run the migration again.';
  end if;
  if exists (
    select from pg_catalog.pg_roles
    where rolname in ('leo_api', 'leo_worker') and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
  ) then
    raise exception using
      errcode = 'LEO09',
      message = 'role leo_api or leo_worker has an attribute of an administrator',
      hint = 'Alter it to nosuperuser nobypassrls nocreaterole nocreatedb noreplication.';
  end if;
end
$$;

grant usage on schema private to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

revoke usage on schema private from leo_worker;
