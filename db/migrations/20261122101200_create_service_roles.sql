-- The two roles that services log in as members of.
--   leo_api     may become `authenticated` and nothing else. NOINHERIT: outside such a transaction it reads nothing, so
--               a forgotten identity is an error. Whoever holds the credential can still name any user: keep it well.
--   leo_worker  has what service_role is granted; as a worker's login the policies for service_role apply to it. It may
--               also become service_role, whose BYPASSRLS is Supabase's, not ours.
-- Neither may be a member of anything else: predefined roles such as pg_read_all_data would read around every grant.
-- Roles belong to the cluster: they may be here already, made by this schema in another database, and are never dropped.
-- A role that inherited once keeps doing so on 16 and later, whatever it is altered to, so that is checked, not mended.
-- Locks: none. Undo: the roles are kept, as other databases may lean on them.

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
      hint = 'It must be NOINHERIT from the start: drop it while no service is logged in with it, and migrate again.';
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
      message = 'role leo_api or leo_worker has attributes of an administrator',
      hint = 'Alter it to nosuperuser nobypassrls nocreaterole nocreatedb noreplication.';
  end if;
end
$$;

-- migrate:down
select 'the roles are kept';
