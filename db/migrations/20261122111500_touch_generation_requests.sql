-- Contract: updated_at is kept by the database, now that no old writer sets it itself.
-- Locks: SHARE ROW EXCLUSIVE for an instant. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

create trigger _100_touch_updated_at before update on public.generation_requests
  for each row execute function private.tg__touch_updated_at();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_touch_updated_at on public.generation_requests;
