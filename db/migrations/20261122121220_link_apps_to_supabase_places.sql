-- An app's project is the one that it has its place in, whoever writes: the place is counted, so no path leads past the
-- count, and an app that has one cannot change its id and leave the place behind. Through the place to the project, as
-- generations are tied to users through their app.
-- The app goes first and its place later, so nothing cascades.
-- Locks: SHARE ROW EXCLUSIVE on supabase_project_places, then on apps, for an instant; no scan (NOT VALID). Undo: drops
-- the key, under ACCESS EXCLUSIVE on both, in the same order.

-- migrate:up
set local lock_timeout = '3s';

lock table public.supabase_project_places in share row exclusive mode;
alter table public.apps
  add constraint apps_supabase_project_ref_id_fkey foreign key (supabase_project_ref, id)
    references public.supabase_project_places (supabase_project_ref, app_id) not valid;

comment on index public.apps_supabase_project_ref_id_idx is
  'Serves the foreign key, and whoever looks after a project: the apps in it.';

-- migrate:down
set local lock_timeout = '3s';

lock table public.supabase_project_places in access exclusive mode;
comment on index public.apps_supabase_project_ref_id_idx is null;
alter table public.apps drop constraint apps_supabase_project_ref_id_fkey;
