-- Logs the activity on apps. Only users create, rename and delete apps, so each change counts as the owner's. The
-- generations that are deleted with an app get no entries.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_apps__log_activity()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  case tg_op
    when 'INSERT' then
      perform private.log_activity(
        new.user_id, 'app', new.id::text, 'create', jsonb_build_object('app_name', new.app_name)
      );
    when 'UPDATE' then
      perform private.log_activity(
        new.user_id, 'app', new.id::text, 'rename', jsonb_build_object('from', old.app_name, 'to', new.app_name)
      );
    else
      perform private.log_activity(
        old.user_id, 'app', old.id::text, 'delete', jsonb_build_object('app_name', old.app_name)
      );
  end case;
  return null;
end
$$;

comment on function private.tg_apps__log_activity() is 'Trigger: logs that the owner created, renamed or deleted an app.';

create trigger _900_log_create after insert on public.apps
  for each row execute function private.tg_apps__log_activity();
create trigger _900_log_rename after update of app_name on public.apps
  for each row when (old.app_name is distinct from new.app_name) execute function private.tg_apps__log_activity();
create trigger _900_log_delete after delete on public.apps
  for each row execute function private.tg_apps__log_activity();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_log_delete on public.apps;
drop trigger _900_log_rename on public.apps;
drop trigger _900_log_create on public.apps;
drop function private.tg_apps__log_activity();
