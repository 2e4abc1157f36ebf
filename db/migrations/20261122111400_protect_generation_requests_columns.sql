-- Contract: freezes id, owner, app, app_name and created_at of a generation, for services too, and sets updated_at; writers
-- of the previous schema set it themselves. The WHEN keeps the first trigger from running on other updates.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

create trigger _100_freeze_identity before update of id, user_id, app_id, app_name, created_at on public.generation_requests
  for each row when (
    old.id is distinct from new.id or old.user_id is distinct from new.user_id or old.app_id is distinct from new.app_id
    or old.app_name is distinct from new.app_name or old.created_at is distinct from new.created_at
  )
  execute function private.tg__refuse_change('id', 'user_id', 'app_id', 'app_name', 'created_at');

create trigger _100_touch_updated_at before update on public.generation_requests
  for each row execute function private.tg__touch_updated_at();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_touch_updated_at on public.generation_requests;
drop trigger _100_freeze_identity on public.generation_requests;
