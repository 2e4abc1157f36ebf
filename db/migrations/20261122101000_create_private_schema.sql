-- Creates the schema `private`, for objects that no API role may access: trigger functions, leases, upgrade state. It is
-- not exposed by the Data API. It has no row security: access is decided by grants alone.
-- Revokes the default privileges: PostgreSQL grants EXECUTE on functions to PUBLIC, and Supabase projects grant the API
-- roles all privileges (created before 2026) or TRUNCATE, REFERENCES and TRIGGER (since), which row security does not
-- restrict. This affects objects that the migrating role creates later. Each table's migration revokes again before it
-- grants, so that the result does not depend on the project.
-- Locks: none. Undo: drops the schema if it is empty; keeps the default privileges, as the previous ones are not known.

-- migrate:up
set local lock_timeout = '3s';

create schema private;
revoke all on schema private from public, anon, authenticated, service_role;
comment on schema private is 'Trigger functions and tables that no API role may access. Not exposed by the Data API.';

-- Without `in schema`: PUBLIC's EXECUTE is a global default, which a revoke for a schema does not change.
alter default privileges revoke execute on functions from public;

alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

drop schema private;
