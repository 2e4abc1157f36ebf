-- Creates the functions that allocate and release places in the pool. The least used project first, ties by ref: the load
-- is spread, and an outage of a project affects the fewest apps.
-- Allocations wait for each other until they commit, so 100 concurrent ones allocate the last 10 places once each, and 90
-- return null. Keep the transaction short.
-- A deleted app leaves its place to be wiped. The place still counts as used, so a deletion does not lock the project and
-- does not wait for allocations. Releasing a place finishes its clean-up and the reverse: no place is free while its
-- row in cleanup_outbox is open, so a clean-up never wipes another app.
-- Lock order: the app, the allocation lock, the project; on release the clean-up, the place, the project; on deletion the
-- app, its place. There is no cycle, hence no deadlock.
-- Locks: SHARE ROW EXCLUSIVE on apps, briefly. Undo: drops the functions and the trigger.

-- migrate:up
set local lock_timeout = '3s';

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
  -- Held against the app's deletion and a second allocation.
  select a.supabase_project_ref into v_ref
  from public.apps as a
  where a.id = p_app_id
  for no key update;

  if not found then
    raise exception using
      errcode = 'LEO14',
      message = format('there is no app %s', p_app_id),
      schema = 'public', table = 'apps';
  end if;
  if v_ref is not null then
    return v_ref;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('supabase_projects.allocate', 0));

  -- In a statement of its own, so that it sees what it has waited for. A project that is drained or given a place back
  -- at this moment is waited for, and passed over if it no longer qualifies.
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
  'Gives the app a place in the least used active project, of the pool and the region if they are named, and returns its ref; the ref that it has if it has one, whatever is named. Null: no such project has a place left. Raises LEO14 when there is no such app, supabase_project_places_pkey when an app of this id is gone but not wiped.';

grant execute on function private.allocate_supabase_project(uuid, text, text) to leo_worker;

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
  'Trigger: marks the place of a deleted app. Definer: nobody who deletes apps may write places.';

create trigger _500_release_supabase_place before delete on public.apps
  for each row when (old.supabase_project_ref is not null)
  execute function private.tg_apps__release_supabase_place();

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
drop trigger _500_release_supabase_place on public.apps;
drop function private.tg_apps__release_supabase_place();
drop function private.allocate_supabase_project(uuid, text, text);
