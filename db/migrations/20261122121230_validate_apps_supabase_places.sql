-- The apps that are there are held to the key too, while readers and writers go on.
-- Locks: SHARE UPDATE EXCLUSIVE on apps, ROW SHARE on supabase_project_places, one scan. Undo: nothing to undo.

-- migrate:up
set local lock_timeout = '3s';

alter table public.apps validate constraint apps_supabase_project_ref_id_fkey;

-- migrate:down
select 'validated constraints stay validated';
