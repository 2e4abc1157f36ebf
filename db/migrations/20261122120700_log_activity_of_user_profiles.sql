-- Logs the activity on profiles. Only users write them, so each change counts as the owner's. The entry has the names of
-- the columns and of the top-level members of preferences that changed, never a value. Names of more than 64 characters
-- are left out, and those beyond 3000 bytes in total.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_user_profiles__log_activity()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- For an insert OLD is null; it changes the defaults.
  v_old_preferences constant jsonb := coalesce(old.preferences, '{}');
  v_columns constant text[] := array_remove(
    array[
      case when old.display_name is distinct from new.display_name then 'display_name' end,
      case when old.avatar_url is distinct from new.avatar_url then 'avatar_url' end,
      case when v_old_preferences <> new.preferences then 'preferences' end
    ],
    null
  );
  v_members jsonb;
begin
  select jsonb_agg(s.key order by s.key)
  into v_members
  from (
    select c.key, sum(octet_length(to_jsonb(c.key)::text) + 2) over (order by c.key) as size
    from (
      select key collate "C" as key
      from jsonb_each(v_old_preferences) as o
      full join jsonb_each(new.preferences) as n using (key)
      where o.value is distinct from n.value and char_length(key) <= 64
    ) as c
  ) as s
  where s.size <= 3000;

  perform private.log_activity(
    new.user_id,
    'profile',
    new.user_id::text,
    case tg_op when 'INSERT' then 'create' else 'change' end,
    jsonb_strip_nulls(jsonb_build_object('columns', v_columns, 'preferences', v_members))
  );
  return null;
end
$$;

comment on function private.tg_user_profiles__log_activity() is
  'Trigger: logs that the owner created or changed the profile, with the names of what changed.';

create trigger _900_log_create after insert on public.user_profiles
  for each row execute function private.tg_user_profiles__log_activity();
create trigger _900_log_change after update on public.user_profiles
  for each row when (
    old.display_name is distinct from new.display_name
    or old.avatar_url is distinct from new.avatar_url
    or old.preferences is distinct from new.preferences
  )
  execute function private.tg_user_profiles__log_activity();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_log_change on public.user_profiles;
drop trigger _900_log_create on public.user_profiles;
drop function private.tg_user_profiles__log_activity();
