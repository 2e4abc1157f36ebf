-- Deleting an app, by itself or with its user, leaves a row for each repository and Fly app that its generations name,
-- and one for its place in the pool. BEFORE the app goes: its generations go right after it.
-- Whether another app of the same user still uses the repository is asked when the row is claimed, not here: of two
-- apps that are deleted at the same time each would see the other, and the repository would stay for good. So a row may
-- wait for as long as that other app lives. An open row that nobody has claimed speaks for later deletes too.
-- Nothing here can fail for what an old row says: no URL over 2,000 characters leads anywhere, so it leaves no row.
-- Locks: SHARE ROW EXCLUSIVE on apps for an instant. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_apps__record_cleanup()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.cleanup_outbox (kind, target, context)
  select distinct left_behind.kind, left_behind.target, jsonb_build_object('app_id', old.id, 'user_id', old.user_id)
  from public.generation_requests as r
  cross join lateral (
    values
      ('github_repository'::public.cleanup_kind, r.github_url),
      ('fly_app'::public.cleanup_kind, r.deployment_url)
  ) as left_behind (kind, target)
  where r.user_id = old.user_id and r.app_id = old.id
    and char_length(left_behind.target) between 1 and 2000
    and not exists (
      select
      from public.cleanup_outbox as o
      where o.kind = left_behind.kind and o.target = left_behind.target and o.finished_at is null and o.claimed_by is null
    );

  if old.supabase_project_ref is not null then
    insert into public.cleanup_outbox (kind, target, context)
    values ('supabase_place', old.supabase_project_ref, jsonb_build_object('app_id', old.id));
  end if;

  return old;
end
$$;

comment on function private.tg_apps__record_cleanup() is
  'Trigger: writes to cleanup_outbox what a deleted app leaves elsewhere. Definer: nobody who deletes apps may write there.';

create trigger _500_record_cleanup before delete on public.apps
  for each row execute function private.tg_apps__record_cleanup();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _500_record_cleanup on public.apps;
drop function private.tg_apps__record_cleanup();
