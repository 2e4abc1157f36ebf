-- From here on nothing is granted by default: PostgreSQL lets PUBLIC execute every function, and Supabase projects
-- grant the API roles everything (made before 2026) or TRUNCATE, REFERENCES and TRIGGER (since), which row security
-- does not hold back. Each table's own migration still revokes before it grants, so that the access which results is
-- the same whatever the project started with.
-- Only what the migrating role creates is affected; what exists, and what other roles create, is left alone.
-- Locks: none. Undo: nothing is handed back, for what there was before is not known here.

-- migrate:up
set local lock_timeout = '3s';

-- Without `in schema`: PUBLIC's EXECUTE is a global default that a per-schema revoke cannot reach.
alter default privileges revoke execute on functions from public;

alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- migrate:down
select 'the narrower default privileges are kept';
