-- What a hosted Supabase cluster already has, for a plain PostgreSQL: its roles, with the attributes and memberships
-- that matter to this schema. Run by a superuser, once per cluster; running it again changes nothing. Roles get no
-- passwords here: whoever owns the cluster sets them.

do $$
declare
  v_role record;
begin
  for v_role in
    select *
    from (
      values
        -- Migrates. Not a superuser on hosted Supabase, and may not create anything in `auth`.
        ('postgres', 'login createdb createrole replication bypassrls'),
        -- What a request without, with, and beyond a signed-in user runs as.
        ('anon', 'nologin'),
        ('authenticated', 'nologin'),
        ('service_role', 'nologin bypassrls'),
        -- What the Data API logs in as; it becomes one of the three above.
        ('authenticator', 'login noinherit'),
        -- Owns `auth`, deletes users there, and so sets off every cascade of ours.
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
