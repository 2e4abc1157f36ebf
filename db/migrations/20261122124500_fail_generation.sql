-- How an attempt ends without a result. A failure is tried again after a pause that doubles, an hour at most, until as
-- many have failed as the worker says; then the generation has failed, and its user may ask again.
-- What has to wait moves behind what is due, or every claim would walk over it.
-- The timeline says why, unless the transaction has said its own reason: leo.reason is lent and given back, as only a
-- superuser may put it into the SET of a function.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

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
  'Says that this attempt has failed, and why. Returns queued when it will be tried again, failed when that was the last of p_max_failures, null when this attempt has lost it; then nothing happens.';

grant execute on function private.fail_generation(integer, integer, text, integer, interval) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.fail_generation(integer, integer, text, integer, interval);
