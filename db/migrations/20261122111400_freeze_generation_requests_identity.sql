-- Contract: whose generation it is, of which app, under which name and since when, never changes; services included.
-- The WHEN makes it free for every other update.
-- Locks: SHARE ROW EXCLUSIVE for an instant. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg__refuse_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'LEO06',
    message = format('%s of %s never change', array_to_string(tg_argv, ', '), tg_table_name),
    schema = tg_table_schema, table = tg_table_name;
end
$$;

comment on function private.tg__refuse_change() is
  'Trigger: raises LEO06. Its arguments name the frozen columns; the trigger''s WHEN says when one has changed.';

create trigger _100_freeze_identity before update of id, user_id, app_id, app_name, created_at on public.generation_requests
  for each row when (
    old.id is distinct from new.id or old.user_id is distinct from new.user_id or old.app_id is distinct from new.app_id
    or old.app_name is distinct from new.app_name or old.created_at is distinct from new.created_at
  )
  execute function private.tg__refuse_change('id', 'user_id', 'app_id', 'app_name', 'created_at');

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_freeze_identity on public.generation_requests;
drop function private.tg__refuse_change();
