-- Contract: what a new generation gets without asking: the app's name as it is now, unless a service imports an old one
-- with the name it had (users may not name the column), and completed_at when it arrives in a final state.
-- An app that is not there keeps the request from being judged by the wrong rule: some name is put in, and the foreign
-- key, checked last, says what is wrong.
-- Locks: SHARE ROW EXCLUSIVE for an instant. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_generation_requests__enqueue()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_app_name text;
begin
  if new.app_name is null then
    select a.app_name into v_app_name
    from public.apps as a
    where a.user_id = new.user_id and a.id = new.app_id;

    new.app_name := coalesce(v_app_name, '?');
  end if;

  if new.status in ('completed', 'failed', 'cancelled') and new.completed_at is null then
    new.completed_at := greatest(now(), new.created_at);
  end if;

  return new;
end
$$;

comment on function private.tg_generation_requests__enqueue() is
  'Trigger: copies the app''s name, sets completed_at of a request that arrives finished.';

create trigger _100_enqueue before insert on public.generation_requests
  for each row execute function private.tg_generation_requests__enqueue();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_enqueue on public.generation_requests;
drop function private.tg_generation_requests__enqueue();
