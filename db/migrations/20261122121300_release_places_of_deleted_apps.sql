-- An app that is deleted, by itself or with its user, leaves its place to be wiped. The place still counts as used, so
-- the project's row is not touched: who deletes an app waits for nobody who allocates one.
-- Locks: SHARE ROW EXCLUSIVE on apps for an instant. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_apps__release_supabase_place()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.supabase_project_places as p
  set status = 'releasing', releasing_since = now()
  where p.app_id = old.id;
  return old;
end
$$;

comment on function private.tg_apps__release_supabase_place() is
  'Trigger: marks the place of a deleted app. Definer: nobody who deletes apps may write places.';

create trigger _500_release_supabase_place before delete on public.apps
  for each row when (old.supabase_project_ref is not null)
  execute function private.tg_apps__release_supabase_place();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _500_release_supabase_place on public.apps;
drop function private.tg_apps__release_supabase_place();
