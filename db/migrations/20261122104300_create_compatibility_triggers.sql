-- Expand: creates the compatibility triggers. They keep the new tables in step with the writers of the previous schema: a
-- request gets its app, a snapshot its owner. They never make a write fail; the backfill and the contract step handle what
-- they skip. A later migration drops them.
-- The apps of a user without names yet are left to the backfill, which names them together, oldest first. The shared lock
-- makes the backfill wait for a user's writers and the reverse.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_generation_requests__follow_old_writer()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_wanted text;
  v_name text;
begin
  if new.user_id is null then
    return new;
  end if;
  if new.app_id is null then
    new.app_id := private.app_id_of_request(new.id);
    insert into private.migration_log (table_name, row_id, user_id, column_name, replacement, reason)
    values ('generation_requests', new.id, (select u.id from auth.users as u where u.id = new.user_id), 'app_id', new.app_id,
      'it was null: an id derived from the id of the request');
  end if;

  -- The operator chooses the owner of an app that several users claim.
  if exists (
    select from private.upgrade_owners as o where o.app_id = new.app_id and o.user_id is distinct from new.user_id
  ) then
    return new;
  end if;
  -- The frequent case first, without a lock: the app exists.
  if exists (select from public.apps as a where a.id = new.app_id and a.user_id = new.user_id) then
    return new;
  end if;

  perform pg_advisory_xact_lock_shared(private.user_lock_key(new.user_id));
  if not exists (select from private.upgrade_users as u where u.user_id = new.user_id)
    and not exists (select from private.upgrade_progress as p where p.phase = 'users' and p.is_finished)
  then
    return new;
  end if;

  begin
    -- A second key: two writers that share the first would deadlock.
    if not pg_try_advisory_xact_lock(private.user_lock_key(new.user_id) + 1) then
      return new;
    end if;
    v_wanted := coalesce(private.visible_name(new.app_name), 'Untitled app');
    v_name := private.free_app_name(new.user_id, v_wanted);
    insert into public.apps (id, user_id, app_name, created_at)
    values (new.app_id, new.user_id, v_name, coalesce(new.created_at, now()))
    on conflict do nothing;
    if found and v_name <> v_wanted then
      insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
      values ('apps', new.id, new.user_id, 'app_name', v_wanted, v_name,
        'another app of the user has the name: the app gets another one, the request keeps it');
    end if;
  exception
    -- The user does not exist, or another user's app has the id: the contract step handles the row.
    when foreign_key_violation or unique_violation then null;
  end;
  return new;
end
$$;

comment on function private.tg_generation_requests__follow_old_writer() is
  'Trigger: creates the app of a request from a writer of the previous schema. SECURITY DEFINER: such writers have no privilege on apps.';

create trigger _100_follow_old_writer before insert or update of user_id, app_id on public.generation_requests
  for each row when (coalesce(current_setting('leo.is_upgrade', true), '') <> 'on')
  execute function private.tg_generation_requests__follow_old_writer();

create function private.tg_iteration_snapshots__follow_old_writer()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  select r.user_id into new.user_id
  from public.generation_requests as r
  where r.id = new.generation_request_id;
  return new;
end
$$;

comment on function private.tg_iteration_snapshots__follow_old_writer() is
  'Trigger: sets the owner of a snapshot. SECURITY DEFINER: writers of the previous schema may lack SELECT on requests.';

create trigger _100_follow_old_writer before insert on public.iteration_snapshots
  for each row when (new.user_id is null)
  execute function private.tg_iteration_snapshots__follow_old_writer();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _100_follow_old_writer on public.iteration_snapshots;
drop function private.tg_iteration_snapshots__follow_old_writer();
drop trigger _100_follow_old_writer on public.generation_requests;
drop function private.tg_generation_requests__follow_old_writer();
