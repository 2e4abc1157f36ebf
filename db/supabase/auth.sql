-- What a hosted Supabase database already has, for a plain PostgreSQL: the `auth` schema as far as this schema leans on
-- it, owned by the non-superuser `supabase_auth_admin`. Run by a superuser in an empty database, after roles.sql.

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

comment on table auth.users is 'Stand-in for the table of Supabase Auth: the columns that this schema and its samples touch.';

-- Supabase leaves row security on here and adds no policy: API roles read nothing.
alter table auth.users enable row level security;

-- The claims arrive one by one from older gateways and as one JSON object from newer ones.
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
