-- The apps of a project, and what the foreign key of the next file needs. Not partial: nulls share one entry's space.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently apps_supabase_project_ref_id_idx on public.apps (supabase_project_ref, id);

-- migrate:down transaction:false
drop index concurrently if exists public.apps_supabase_project_ref_id_idx;
