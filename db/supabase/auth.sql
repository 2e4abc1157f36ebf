-- Gives a plain PostgreSQL the part of hosted Supabase's `auth` schema that this repository uses, owned by the
-- non-superuser `supabase_auth_admin`. Run it as a superuser in an empty database, after roles.sql.

create schema auth authorization supabase_auth_admin;
create schema extensions authorization postgres;

set role supabase_auth_admin;

create table auth.users (
  instance_id uuid,
  id uuid not null,
  aud character varying(255),
  role character varying(255),
  email character varying(255),
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  is_anonymous boolean not null default false,
  constraint users_pkey primary key (id)
);

comment on table auth.users is 'Stand-in for the users table of Supabase Auth, with the columns that this schema and its sample data use.';

-- As on Supabase: row security is enabled without a policy, so API roles see no rows.
alter table auth.users enable row level security;

-- Older gateways set one parameter per claim; newer ones set one JSON object.
create function auth.jwt() returns jsonb
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;

create function auth.uid() returns uuid
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  )::uuid
$$;

create function auth.role() returns text
language sql stable
as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
  )
$$;

grant usage on schema auth to anon, authenticated, service_role, postgres;
grant select, insert, update, delete, truncate, references, trigger on auth.users to postgres;

reset role;

grant usage on schema extensions to anon, authenticated, service_role;
grant usage on schema public to anon, authenticated, service_role;
