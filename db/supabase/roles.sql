-- Gives a plain PostgreSQL the roles of hosted Supabase, with the attributes and memberships that this schema depends on.
-- Run it as a superuser, once per cluster; a second run has no effect. The roles get no passwords here: the cluster's
-- administrator sets them.

do $$
declare
  v_role record;
begin
  for v_role in
    select *
    from (
      values
        -- Runs the migrations. On hosted Supabase it is not a superuser and cannot create objects in `auth`.
        ('postgres', 'login createdb createrole replication bypassrls'),
        -- The roles of a request without a signed-in user, of one with a signed-in user, and of a service.
        ('anon', 'nologin'),
        ('authenticated', 'nologin'),
        ('service_role', 'nologin bypassrls'),
        -- The login of the Data API, which switches to one of the three above.
        ('authenticator', 'login noinherit'),
        -- Owns `auth` and deletes users there; the cascades of this schema start from those deletes.
        ('supabase_auth_admin', 'login noinherit createrole')
    ) as hosted (name, attributes)
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role.name) then
      execute format('create role %I %s', v_role.name, v_role.attributes);
    end if;
  end loop;
end
$$;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres with admin option;
