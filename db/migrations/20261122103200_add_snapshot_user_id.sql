-- Expand: adds the owner to snapshots, so that row security and foreign keys need no join. Nullable until every row has it.
-- Locks: ACCESS EXCLUSIVE, briefly, no rewrite. Undo: drops the column; the generation has the owner.

-- migrate:up
set local lock_timeout = '3s';

alter table public.iteration_snapshots add column user_id uuid;
comment on column public.iteration_snapshots.user_id is 'The Supabase Auth user who owns the generation.';

-- migrate:down
set local lock_timeout = '3s';

alter table public.iteration_snapshots drop column user_id;
