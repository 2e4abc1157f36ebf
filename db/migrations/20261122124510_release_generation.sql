-- A worker that shuts down gives back what it has. That counts as no failure, and the generation keeps its place, at the
-- head by now.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

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
    perform set_config('leo.reason', 'given back by its worker', true);
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
  'Gives a generation back unfinished, at the place that it had. False: this attempt has lost it; nothing happens.';

grant execute on function private.release_generation(integer, integer) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.release_generation(integer, integer);
