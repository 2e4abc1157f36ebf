-- `updated_at` is the database's word, not the writer's: whatever an UPDATE says, the trigger's time stands.
-- Locks: none. Undo: drops the function; its triggers are gone by then.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg__touch_updated_at()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

comment on function private.tg__touch_updated_at() is 'Trigger: sets updated_at to the start of the transaction.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.tg__touch_updated_at();
