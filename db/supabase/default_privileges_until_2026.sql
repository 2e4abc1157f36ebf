-- Default privileges of a Supabase project made before 2026: whatever `postgres` creates in `public` is granted whole to
-- the API roles, `anon` included. Many live projects still are like this.

alter default privileges for role postgres in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant all on sequences to anon, authenticated, service_role;
