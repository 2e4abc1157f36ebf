-- Default privileges of a Supabase project created before 2026: the API roles, including `anon`, get all privileges on
-- every object that `postgres` creates in `public`. Many live projects still have these.

alter default privileges for role postgres in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on sequences to anon, authenticated, service_role;
