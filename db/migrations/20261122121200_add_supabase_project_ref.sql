-- Which project of the pool an app has its database in; null until it has one. Its owner reads it.
-- Nobody who logs in writes it, or an app could have a project without a place in it: services lose their right to
-- insert and update whole rows and get the other columns by name. A column that comes later is granted by name as well.
-- Locks: ACCESS EXCLUSIVE on apps for an instant, no rewrite. Undo: drops the column while nothing is in it.

-- migrate:up
set local lock_timeout = '3s';

alter table public.apps add column supabase_project_ref text;
comment on column public.apps.supabase_project_ref is
  'The Supabase project that the app has its database in; null until it gets one. Written by private.allocate_supabase_project only.';

revoke insert, update on public.apps from service_role;
grant
  insert (id, user_id, app_name, created_at),
  update (id, user_id, app_name, created_at)
  on public.apps to service_role;

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.apps', 'supabase_project_ref is not null');
alter table public.apps drop column supabase_project_ref;
revoke insert (id, user_id, app_name, created_at), update (id, user_id, app_name, created_at) on public.apps from service_role;
grant insert, update on public.apps to service_role;
