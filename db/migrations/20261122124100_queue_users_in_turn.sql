-- The queue is fair between users: each generation stands a minute behind the one that its user queued last, so that
-- somebody who queues twenty does not stand in front of everybody who comes after. One that is queued alone stands where
-- it always stood, at now. The order costs one look into an index when a generation is queued, and a claim nothing.
-- A service that names queue_at, at an insert, gets what it names.
-- Whoever brings a generation back from paused or failed begins a new count of failures, and it is due at once.
-- The minute says how far ahead the next user gets, not when anything runs: an empty queue is worked off at once.
-- Locks: none. Undo: brings back the functions as they were.

-- migrate:up
set local lock_timeout = '3s';

create or replace function private.tg_generation_requests__enqueue()
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

  -- Unless a service has named another place. In a race of one user with themselves two get the same: their ids decide.
  if new.status = 'queued' and new.queue_at = now() then
    select greatest(now(), max(r.queue_at) + interval '1 minute') into new.queue_at
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued';
  end if;

  return new;
end
$$;

comment on function private.tg_generation_requests__enqueue() is
  'Trigger: copies the app''s name, sets completed_at of a request that arrives finished, and gives a queued one its place.';

create or replace function private.tg_generation_requests__change_status()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_service constant boolean := pg_has_role(current_user, 'service_role', 'usage');
  v_legal public.generation_status[];
  v_users public.generation_status[];
begin
  -- Only a change of status moves completed_at.
  if new.status = old.status then
    new.completed_at := old.completed_at;
    return new;
  end if;

  case old.status
    when 'queued' then
      v_legal := '{generating,paused,cancelled}';
      v_users := '{paused,cancelled}';
    when 'generating' then
      v_legal := '{completed,failed,paused,cancelled,queued}';
      v_users := '{paused,cancelled}';
    when 'paused' then
      v_legal := '{queued,cancelled}';
      v_users := v_legal;
    when 'failed' then
      v_legal := '{queued}';
      v_users := v_legal;
    else
      v_legal := '{}';
      v_users := '{}';
  end case;

  if new.status <> all (v_legal) then
    raise exception using
      errcode = 'LEO01',
      message = format('a generation cannot go from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if not v_is_service and new.status <> all (v_users) then
    raise exception using
      errcode = 'LEO02',
      message = format('only a service may take a generation from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if new.status = 'queued' and not v_is_service then
    if old.status = 'failed' then
      if old.retry_count >= 3 then
        raise exception using
          errcode = 'LEO03',
          message = 'this generation has been retried 3 times already',
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

  -- The fence: whoever held an earlier attempt finds no row from here on.
  if new.status = 'generating' then
    new.attempt := old.attempt + 1;
  end if;

  -- greatest(): after a fail-over the clock may be behind the one that wrote created_at.
  new.completed_at := case
    when new.status in ('completed', 'failed', 'cancelled') then greatest(now(), new.created_at)
  end;

  return new;
end
$$;

comment on function private.tg_generation_requests__change_status() is
  'Trigger: the status machine. Raises LEO01, LEO02, LEO03; keeps completed_at, attempt, retry_count, queue_at, failure_count and available_at.';

-- migrate:down
set local lock_timeout = '3s';

create or replace function private.tg_generation_requests__change_status()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_service constant boolean := pg_has_role(current_user, 'service_role', 'usage');
  v_legal public.generation_status[];
  v_users public.generation_status[];
begin
  -- Only a change of status moves completed_at.
  if new.status = old.status then
    new.completed_at := old.completed_at;
    return new;
  end if;

  case old.status
    when 'queued' then
      v_legal := '{generating,paused,cancelled}';
      v_users := '{paused,cancelled}';
    when 'generating' then
      v_legal := '{completed,failed,paused,cancelled,queued}';
      v_users := '{paused,cancelled}';
    when 'paused' then
      v_legal := '{queued,cancelled}';
      v_users := v_legal;
    when 'failed' then
      v_legal := '{queued}';
      v_users := v_legal;
    else
      v_legal := '{}';
      v_users := '{}';
  end case;

  if new.status <> all (v_legal) then
    raise exception using
      errcode = 'LEO01',
      message = format('a generation cannot go from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if not v_is_service and new.status <> all (v_users) then
    raise exception using
      errcode = 'LEO02',
      message = format('only a service may take a generation from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if new.status = 'queued' and not v_is_service then
    if old.status = 'failed' then
      if old.retry_count >= 3 then
        raise exception using
          errcode = 'LEO03',
          message = 'this generation has been retried 3 times already',
          hint = 'Start a new one.',
          schema = tg_table_schema, table = tg_table_name, column = 'status';
      end if;
      new.retry_count := old.retry_count + 1;
    end if;
    new.queue_at := now();
  end if;

  -- The fence: whoever held an earlier attempt finds no row from here on.
  if new.status = 'generating' then
    new.attempt := old.attempt + 1;
  end if;

  -- greatest(): after a fail-over the clock may be behind the one that wrote created_at.
  new.completed_at := case
    when new.status in ('completed', 'failed', 'cancelled') then greatest(now(), new.created_at)
  end;

  return new;
end
$$;

comment on function private.tg_generation_requests__change_status() is
  'Trigger: the status machine. Raises LEO01, LEO02, LEO03; keeps completed_at, attempt, retry_count and queue_at.';

create or replace function private.tg_generation_requests__enqueue()
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
