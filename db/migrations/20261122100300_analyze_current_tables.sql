-- Changing a column's type throws its statistics away; without them the planner guesses until autovacuum comes by.
-- Apart from the change itself, whose lock would last as long as the sampling. Undo: nothing to undo.
-- Locks: SHARE UPDATE EXCLUSIVE, which lets readers and writers through.

-- migrate:up
set local lock_timeout = '3s';

analyze public.generation_requests, public.iteration_snapshots;

-- migrate:down
-- Statistics are no state; a statement stands here because an empty section cannot be told from a forgotten one.
select 'statistics are kept';
