-- Creates the ends of an attempt without a result: failure, release, and the expiry of the lease.
-- The reason is recorded in the timeline unless the transaction has set its own; leo.reason is set and reset in the
-- bodies, because only a superuser may name it in the SET of a function.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

-- A failed generation is queued again after a delay that doubles, an hour at most; after p_max_failures failures its status
-- is failed, and its user can retry it. While delayed it is placed behind what is available, or every claim would read
-- past it.
create function private.fail_generation(
  p_id integer, p_attempt integer, p_error text, p_max_failures integer default 3, p_backoff interval default '30 seconds'
)
returns public.generation_status
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason constant text := coalesce(current_setting('leo.reason', true), '');
  v_user_id uuid;
  v_failures integer;
  v_wait interval;
  v_status public.generation_status := 'failed';
begin
  select r.user_id, r.failure_count + 1 into v_user_id, v_failures
  from public.generation_requests as r
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  for no key update;

  if not found then
    return null;
  end if;

  if v_failures < p_max_failures then
    v_status := 'queued';
    v_wait := least(p_backoff * 2 ^ least(v_failures - 1, 20), interval '1 hour');
  end if;

  if v_reason = '' then
    perform set_config('leo.reason', left(p_error, 2000), true);
  end if;
  update public.generation_requests as r
  set
    status = v_status,
    failure_count = v_failures,
    error_message = p_error,
    available_at = now() + v_wait,
    queue_at = greatest(r.queue_at, now() + v_wait)
  where r.id = p_id;
  perform set_config('leo.reason', v_reason, true);

  delete from private.generation_leases as l where l.user_id = v_user_id and l.generation_request_id = p_id;
  return v_status;
end
$$;

comment on function private.fail_generation(integer, integer, text, integer, interval) is
  'Records the failure of this attempt. Returns queued if it will be tried again, failed after p_max_failures failures, null, without a change, if this attempt has lost the generation.';

grant execute on function private.fail_generation(integer, integer, text, integer, interval) to leo_worker;

-- For a worker that shuts down: no failure is counted, and the generation keeps its position.
create function private.release_generation(p_id integer, p_attempt integer)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason constant text := coalesce(current_setting('leo.reason', true), '');
  v_user_id uuid;
begin
  if v_reason = '' then
    perform set_config('leo.reason', 'released by its worker', true);
  end if;
  update public.generation_requests as r
  set status = 'queued'
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  returning r.user_id into v_user_id;
  perform set_config('leo.reason', v_reason, true);

  if v_user_id is null then
    return false;
  end if;

  delete from private.generation_leases as l where l.user_id = v_user_id and l.generation_request_id = p_id;
  return true;
end
$$;

comment on function private.release_generation(integer, integer) is
  'Queues an unfinished generation again at its position. False, without a change: this attempt has lost the generation.';

grant execute on function private.release_generation(integer, integer) to leo_worker;

-- An expired lease counts as a failure. Concurrent calls process different leases. Leases are few: they are read without
-- an index on expires_at, which every heartbeat would have to write. The lease of a generation that its user paused or
-- cancelled is deleted.
create function private.requeue_expired_generations(
  p_limit integer default 100, p_max_failures integer default 3, p_backoff interval default '30 seconds'
)
returns table (id integer, attempt integer, status public.generation_status)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  v_lease record;
begin
  for v_lease in
    select l.user_id, l.generation_request_id, l.attempt
    from private.generation_leases as l
    where l.expires_at <= now()
    order by l.expires_at
    limit p_limit
  loop
    perform
    from public.generation_requests as r
    where r.id = v_lease.generation_request_id and r.attempt = v_lease.attempt and r.status = 'generating'
    for no key update skip locked;

    if found then
      -- The generation is locked, so no other session ends the lease; a heartbeat can have renewed it.
      delete from private.generation_leases as l
      where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id and l.expires_at <= now();
      if found then
        id := v_lease.generation_request_id;
        attempt := v_lease.attempt;
        status := private.fail_generation(id, attempt, 'its worker was lost: the lease expired', p_max_failures, p_backoff);
        return next;
      end if;
    else
      -- The lease of an attempt that has ended. SKIP LOCKED: do not wait for a lease while generations are locked.
      perform
      from private.generation_leases as l
      where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id
        and l.attempt = v_lease.attempt and not exists (
          select from public.generation_requests as r
          where r.id = v_lease.generation_request_id and r.attempt = v_lease.attempt and r.status = 'generating'
        )
      for update skip locked;
      if found then
        delete from private.generation_leases as l
        where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id;
      end if;
    end if;
  end loop;
end
$$;

comment on function private.requeue_expired_generations(integer, integer, interval) is
  'Fails at most p_limit attempts with an expired lease as fail_generation does, and returns each with its new status.';

grant execute on function private.requeue_expired_generations(integer, integer, interval) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.requeue_expired_generations(integer, integer, interval);
drop function private.release_generation(integer, integer);
drop function private.fail_generation(integer, integer, text, integer, interval);
