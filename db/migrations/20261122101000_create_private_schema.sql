-- The schema for what no API role may touch: trigger functions, leases, migration logs. It is not exposed by the Data
-- API, and has no row security: nothing here is granted to a role that acts for users, and grants alone decide.
-- Locks: none. Undo: drops the schema while it is empty.

-- migrate:up
set local lock_timeout = '3s';

create schema private;
revoke all on schema private from public, anon, authenticated, service_role;
comment on schema private is 'Trigger functions and tables that no API role may use. Not exposed by the Data API.';

-- migrate:down
set local lock_timeout = '3s';

drop schema private;
