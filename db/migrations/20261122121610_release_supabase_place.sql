-- The place of a deleted app is free once the deployer says that it is wiped. The clean-up of the place is done with the
-- same word, whichever of the two is said: no place is free while its row in cleanup_outbox is open, nor the other way
-- round, so nothing is wiped that another app lives in by now.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

insert into private.error_codes (code, name, meaning)
values ('LEO15', 'place_not_releasing', 'the app has no place that waits to be wiped: it is free already, or still in use');

create function private.release_supabase_place(p_app_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
begin
  select p.supabase_project_ref into v_ref
  from public.supabase_project_places as p
  where p.app_id = p_app_id and p.status = 'releasing';

  -- The clean-up first: private.finish_cleanup holds it already when it comes here.
  update public.cleanup_outbox as o
  set finished_at = now(), context = '{}', last_error = null, claimed_by = null, claimed_until = null
  where o.kind = 'supabase_place' and o.target = v_ref and o.context ->> 'app_id' = p_app_id::text
    and o.finished_at is null;

  delete from public.supabase_project_places as p
  where p.app_id = p_app_id and p.status = 'releasing';

  if not found then
    raise exception using
      errcode = 'LEO15',
      message = format('app %s has no place that waits to be wiped', p_app_id),
      schema = 'public', table = 'supabase_project_places';
  end if;

  update public.supabase_projects as p set used = p.used - 1 where p.ref = v_ref;
end
$$;

comment on function private.release_supabase_place(uuid) is
  'Frees the place of a deleted app, which is wiped now, and finishes its clean-up. Raises LEO15 when no place waits for that: given back before, still in use, or never taken.';

grant execute on function private.release_supabase_place(uuid) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.release_supabase_place(uuid);
delete from private.error_codes where code = 'LEO15';
