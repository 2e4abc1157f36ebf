-- An app gets its place in a project of the pool. Least used first, ties by ref: the load spreads, and when a project
-- goes down it takes the fewest apps with it; filling one after the other would only help someone who wants to give
-- half-empty projects back, and draining does that.
-- Allocations wait for one another until they commit, so that each sees what the one before has taken: 100 at once give
-- out the last 10 places, each once, and tell 90 that there is none. Keep the transaction short.
-- What is locked, in this order: here the app, all allocations, the project; by what frees a place its clean-up, the
-- place, the project; by what deletes an app the app, its place. No circle, so no deadlock.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

insert into private.error_codes (code, name, meaning)
values ('LEO14', 'app_not_found', 'there is no such app');

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

-- migrate:down
set local lock_timeout = '3s';

drop function private.allocate_supabase_project(uuid, text, text);
delete from private.error_codes where code = 'LEO14';
