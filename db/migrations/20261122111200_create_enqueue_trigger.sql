-- Contract: fills in a new generation: the current name of the app, unless a service imports a generation with the name
-- that it had (users may not write the column); completed_at if it arrives in a final status; its position in the queue.
-- If the app does not exist, the name is a placeholder, so that the foreign key, which is checked last, reports it.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

-- The queue is fair between users: each generation is placed one minute behind the last queued one of its user, so a user
-- who queues twenty does not delay the next user by twenty. A user's only one is placed at now(). The minute orders the
-- queue and delays no generation. A service can insert another queue_at.
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

  -- Unless a service sets another position. Two concurrent inserts of one user can get the same: their ids decide.
  if new.status = 'queued' and new.queue_at = now() then
    select greatest(now(), max(r.queue_at) + interval '1 minute') into new.queue_at
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued';
  end if;

  return new;
end
$$;

comment on function private.tg_generation_requests__enqueue() is
  'Trigger: copies the app''s name, sets completed_at of a generation inserted in a final status, and the position of a queued one.';

create trigger _100_enqueue before insert on public.generation_requests
  for each row execute function private.tg_generation_requests__enqueue();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_enqueue on public.generation_requests;
drop function private.tg_generation_requests__enqueue();
