-- Contract: creates the status machine. In the database, because front ends write to it directly.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

--              queued  generating  paused  completed  failed  cancelled
--   queued       ·         s         u                             u
--   generating   s         ·         u        s          s         u      u: the user or a service
--   paused       u                   ·                             u      s: services only
--   failed       u(*)                                    ·                *: the user at most 3 times
--
-- completed and cancelled are final. A role without the rights of service_role is limited to the user's transitions; the
-- function runs as its caller, to know the role.
-- A generation that returns from paused or failed starts a new count of failures, and is available at once. A user's retry
-- or resume is placed in the queue like a new generation (see the next file).
create function private.tg_generation_requests__change_status()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_service constant boolean := pg_has_role(current_user, 'service_role', 'usage');
  v_allowed public.generation_status[];
  v_by_users public.generation_status[];
begin
  -- Only a change of status changes completed_at.
  if new.status = old.status then
    new.completed_at := old.completed_at;
    return new;
  end if;

  case old.status
    when 'queued' then
      v_allowed := '{generating,paused,cancelled}';
      v_by_users := '{paused,cancelled}';
    when 'generating' then
      v_allowed := '{completed,failed,paused,cancelled,queued}';
      v_by_users := '{paused,cancelled}';
    when 'paused' then
      v_allowed := '{queued,cancelled}';
      v_by_users := v_allowed;
    when 'failed' then
      v_allowed := '{queued}';
      v_by_users := v_allowed;
    else
      v_allowed := '{}';
      v_by_users := '{}';
  end case;

  if new.status <> all (v_allowed) then
    raise exception using
      errcode = 'LEO01',
      message = format('the status of a generation cannot change from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if not v_is_service and new.status <> all (v_by_users) then
    raise exception using
      errcode = 'LEO02',
      message = format('only a service may change the status of a generation from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if new.status = 'queued' and not v_is_service then
    if old.status = 'failed' then
      if old.retry_count >= 3 then
        raise exception using
          errcode = 'LEO03',
          message = 'this generation has been retried 3 times, which is the maximum',
          hint = 'Start a new one.',
          schema = tg_table_schema, table = tg_table_name, column = 'status';
      end if;
      new.retry_count := old.retry_count + 1;
    end if;
    select greatest(now(), max(r.queue_at) + interval '1 minute') into new.queue_at
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued';
  end if;

  if old.status in ('paused', 'failed') then
    new.failure_count := 0;
  end if;
  if new.status <> 'queued' or old.status <> 'generating' then
    new.available_at := null;
  end if;

  -- The fence: writes that name an earlier attempt match no row from now on.
  if new.status = 'generating' then
    new.attempt := old.attempt + 1;
  end if;

  -- greatest(): after a failover the clock can be behind the one that wrote created_at.
  new.completed_at := case
    when new.status in ('completed', 'failed', 'cancelled') then greatest(now(), new.created_at)
  end;

  return new;
end
$$;

comment on function private.tg_generation_requests__change_status() is
  'Trigger: the status machine. Raises LEO01, LEO02, LEO03; keeps completed_at, attempt, retry_count, queue_at, failure_count and available_at.';

create trigger _100_change_status before update of status, completed_at on public.generation_requests
  for each row when (old.status is distinct from new.status or old.completed_at is distinct from new.completed_at)
  execute function private.tg_generation_requests__change_status();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_change_status on public.generation_requests;
drop function private.tg_generation_requests__change_status();
