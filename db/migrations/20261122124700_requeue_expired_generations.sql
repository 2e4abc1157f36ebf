-- What becomes of the work of a worker that is gone: once its lease has expired it counts as a failure, and is tried again
-- or has failed. Any number of workers may ask at the same time, each gets others. Leases are few: they are read without
-- an index on expires_at, which every heartbeat would have to write.
-- A lease that a user has left behind, by pausing or cancelling what was running, goes here too; or with the next claim.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

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
      -- Nobody else ends the lease now; but a heartbeat may have prolonged it at this moment.
      delete from private.generation_leases as l
      where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id and l.expires_at <= now();
      if found then
        id := v_lease.generation_request_id;
        attempt := v_lease.attempt;
        status := private.fail_generation(id, attempt, 'its worker was lost: the lease expired', p_max_failures, p_backoff);
        return next;
      end if;
    else
      -- Left by a generation that is not at that attempt any more. SKIP LOCKED: no lease is waited for, generations are held.
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
  'Ends the attempts whose lease has expired, p_limit at most, as fail_generation does, and returns them with what became of each.';

grant execute on function private.requeue_expired_generations(integer, integer, interval) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.requeue_expired_generations(integer, integer, interval);
