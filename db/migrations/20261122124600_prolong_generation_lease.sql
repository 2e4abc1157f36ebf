-- A worker says that it is alive. That writes the lease only, whose row is narrow and whose update touches no index. The
-- generation is asked without being locked, so "held" is news, no promise: the next write that counts is held to the
-- attempt by itself. A lease that has expired, but that nobody has ended, is prolonged.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

create function private.prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval)
returns timestamptz
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_expires_at timestamptz;
begin
  if (p_lease between '1 second' and '1 day') is not true then
    raise exception using
      errcode = 'LEO16',
      message = 'a claim takes 1 to 100 rows, for a second to a day';
  end if;

  update private.generation_leases as l
  set expires_at = now() + p_lease
  from public.generation_requests as r
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
    and l.user_id = r.user_id and l.generation_request_id = r.id and l.attempt = p_attempt
  returning l.expires_at into v_expires_at;
  return v_expires_at;
end
$$;

comment on function private.prolong_generation_lease(integer, integer, interval) is
  'The heartbeat: prolongs the lease of this attempt and returns until when. Null: this attempt has lost the generation. Raises LEO16.';

grant execute on function private.prolong_generation_lease(integer, integer, interval) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.prolong_generation_lease(integer, integer, interval);
