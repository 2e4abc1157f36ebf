-- Creates the functions that allocate and release places in the pool, and the trigger that marks the place of a deleted
-- app. Lock order: the app, the allocation lock, the project; on release the clean-up, the place, the project; on deletion
-- the app, its place. There is no cycle, hence no deadlock.
-- Locks: SHARE ROW EXCLUSIVE on apps, briefly. Undo: drops the functions and the trigger.

-- migrate:up
set local lock_timeout = '3s';

-- The least used project first, ties by ref: the load is spread, and an outage of a project affects the fewest apps.
-- Allocations wait for each other until they commit, so 100 concurrent ones allocate the last 10 places once each, and 90
-- return null. Keep the transaction short.
create function private.allocate_supabase_project(p_app_id uuid, p_pool text default null, p_region text default null)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
begin
  -- Locked against a deletion of the app and a second allocation.
  select a.supabase_project_ref into v_ref
  from public.apps as a
  where a.id = p_app_id
  for no key update;

  if not found then
    raise exception using
      errcode = 'LEO14',
      message = format('app %s does not exist', p_app_id),
      schema = 'public', table = 'apps';
  end if;
  if v_ref is not null then
    return v_ref;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('supabase_projects.allocate', 0));

  -- A separate statement, so that it sees what the previous holder of the lock committed. It waits for a concurrent
  -- update of the project, and skips it if it no longer qualifies.
  update public.supabase_projects as p
  set used = p.used + 1
  where p.ref = (
    select c.ref
    from public.supabase_projects as c
    where c.status = 'active' and c.used < c.capacity
      and (p_pool is null or c.pool = p_pool)
      and (p_region is null or c.region = p_region)
    order by c.used, c.ref
    limit 1
    for no key update
  )
  returning p.ref into v_ref;

  if not found then
    return null;
  end if;

  insert into public.supabase_project_places (app_id, supabase_project_ref) values (p_app_id, v_ref);
  update public.apps as a set supabase_project_ref = v_ref where a.id = p_app_id;
  return v_ref;
end
$$;

comment on function private.allocate_supabase_project(uuid, text, text) is
  'Allocates a place for the app in the least used active project, of this pool and region if given, and returns the ref; returns the present ref of an app that has one. Null: no such project has a free place. Raises LEO14 if the app does not exist, supabase_project_places_pkey if the place of a deleted app with this id is not wiped.';

grant execute on function private.allocate_supabase_project(uuid, text, text) to leo_worker;

-- The place still counts as used, so the trigger does not lock the project, and a deletion does not wait for allocations.
create function private.tg_apps__release_supabase_place()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.supabase_project_places as p
  set status = 'releasing', releasing_since = now()
  where p.app_id = old.id;
  return old;
end
$$;

comment on function private.tg_apps__release_supabase_place() is
  'Trigger: marks the place of a deleted app. SECURITY DEFINER: roles that delete apps may not write places.';

create trigger _500_release_supabase_place before delete on public.apps
  for each row when (old.supabase_project_ref is not null)
  execute function private.tg_apps__release_supabase_place();

-- Releasing a place finishes its clean-up and the reverse: no place is free while its row in cleanup_outbox is open, so a
-- clean-up never wipes another app.
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

  -- The clean-up first: private.finish_cleanup has locked it before it calls this function.
  update public.cleanup_outbox as o
  set finished_at = now(), context = '{}', last_error = null, claimed_by = null, claimed_until = null
  where o.kind = 'supabase_place' and o.target = v_ref and o.context ->> 'app_id' = p_app_id::text
    and o.finished_at is null;

  delete from public.supabase_project_places as p
  where p.app_id = p_app_id and p.status = 'releasing';

  if not found then
    raise exception using
      errcode = 'LEO15',
      message = format('app %s has no place to be wiped', p_app_id),
      schema = 'public', table = 'supabase_project_places';
  end if;

  update public.supabase_projects as p set used = p.used - 1 where p.ref = v_ref;
end
$$;

comment on function private.release_supabase_place(uuid) is
  'Releases the place of a deleted app after it is wiped, and finishes its clean-up. Raises LEO15 if there is no such place: released before, still in use, or never allocated.';

grant execute on function private.release_supabase_place(uuid) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.release_supabase_place(uuid);
drop trigger _500_release_supabase_place on public.apps;
drop function private.tg_apps__release_supabase_place();
drop function private.allocate_supabase_project(uuid, text, text);
