-- Analyzes both tables: changing a column's type removes its statistics. A separate file, because the lock of the change
-- would otherwise last as long as the sampling.
-- Locks: SHARE UPDATE EXCLUSIVE; reads and writes continue. Undo: keeps the statistics.

-- migrate:up
set local lock_timeout = '3s';

analyze public.generation_requests, public.iteration_snapshots;

-- migrate:down
-- Statistics are no state; a statement stands here because an empty section cannot be told from a forgotten one.
select 'statistics are kept';
