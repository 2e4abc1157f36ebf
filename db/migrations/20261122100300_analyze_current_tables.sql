-- Analyzes both tables: changing a column's type removes its statistics. A separate file, because the lock of the change
-- would otherwise last as long as the sampling.
-- Locks: SHARE UPDATE EXCLUSIVE; reads and writes continue. Undo: keeps the statistics.

-- migrate:up
set local lock_timeout = '3s';

analyze public.generation_requests, public.iteration_snapshots;

-- migrate:down
-- A statement, because an empty section could have been forgotten.
select 'statistics are kept';
