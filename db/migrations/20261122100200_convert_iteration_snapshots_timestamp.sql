-- The same for the snapshots, in a transaction of its own so that never more than one table is locked.
-- Locks: ACCESS EXCLUSIVE, short; no rewrite in a UTC session. Undo: the same, back; a default
-- that the live table had before is not brought back.

-- migrate:up
set local lock_timeout = '3s';
set local timezone = 'UTC';

-- squawk-ignore changing-column-type: in a UTC session this rewrites nothing
alter table public.iteration_snapshots
  alter column "timestamp" type timestamptz,
  alter column "timestamp" set default now();

-- migrate:down
set local lock_timeout = '3s';
set local timezone = 'UTC';

alter table public.iteration_snapshots
  alter column "timestamp" drop default,
  alter column "timestamp" type timestamp;
