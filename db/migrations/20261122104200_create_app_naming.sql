-- Expand: creates the functions that derive apps and their names from requests. The backfill uses them, the trigger for
-- writers of the previous schema, and the contract step for the remaining rows.
--   - A request without app_id gets an app of its own, with an id derived from the request's: the same on every run.
--   - An app gets the name of its latest request with a visible name, or `Untitled app`.
--   - Where several apps of a user want one name, the oldest gets it, and the others get `name (2)`, `name (3)`…, without
--     names that an app has or wants; a name that is too long is cut before the suffix.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create function private.app_id_of_request(p_request_id integer)
returns uuid
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  -- A UUID of version 8: its other bits are free to choose.
  select overlay(overlay(md5('leo-saas-schema generation_requests ' || p_request_id) placing '8' from 13) placing '8' from 17)::uuid
$$;

comment on function private.app_id_of_request(integer) is 'The id of the app of a request that has no app_id.';

create function private.visible_name(p_name text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when private.has_visible_character(left(p_name, 120)) then left(p_name, 120) end
$$;

comment on function private.visible_name(text) is 'The name, cut to the length that an app may have; null without a visible character.';

create function private.user_lock_key(p_user_id uuid)
returns bigint
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select hashtextextended('leo upgrade ' || p_user_id, 0)
$$;

comment on function private.user_lock_key(uuid) is 'The key of the advisory lock for naming a user''s apps.';

create function private.apps_in_requests(p_user_ids uuid[])
returns table (user_id uuid, app_id uuid, wanted text, since timestamptz, first_request_id integer)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    r.user_id,
    coalesce(r.app_id, private.app_id_of_request(r.id)),
    coalesce(
      (array_agg(r.visible order by r.created_at desc nulls last, r.id desc) filter (where r.visible is not null))[1],
      'Untitled app'
    ),
    min(r.created_at),
    min(r.id)
  from (
    select
      r.id, r.user_id, r.app_id, r.created_at,
      -- Almost every name has a letter or digit; the function is called for the others only.
      case
        when r.app_name collate "C" ~ '[0-9A-Za-z]' then left(r.app_name, 120)
        else private.visible_name(r.app_name)
      end as visible
    from public.generation_requests as r
    where r.user_id = any (p_user_ids)
  ) as r
  join auth.users as u on u.id = r.user_id
  left join private.upgrade_owners as o on o.app_id = r.app_id
  where o.app_id is null or o.user_id = r.user_id
  group by r.user_id, coalesce(r.app_id, private.app_id_of_request(r.id))
$$;

comment on function private.apps_in_requests(uuid[]) is 'The apps in the requests of these users, with the wanted name and the age of each.';

create function private.free_app_name(p_user_id uuid, p_wanted text, p_from integer default 1)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_suffix text;
  v_name text;
begin
  for v_number in p_from .. 2147483647 loop
    v_suffix := case when v_number > 1 then ' (' || v_number || ')' else '' end;
    v_name := left(p_wanted, 120 - length(v_suffix)) || v_suffix;
    exit when not exists (select from public.apps as a where a.user_id = p_user_id and a.app_name = v_name);
  end loop;
  return v_name;
end
$$;

comment on function private.free_app_name(uuid, text, integer) is 'The name, or the first `name (n)` from p_from on, that no app of the user has. To be called under the user''s lock.';

create function private.name_apps(p_user_ids uuid[])
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_left jsonb;
  v_made integer;
  v_app record;
  v_name text;
begin
  -- The oldest app that wants a name gets it, unless an existing app has it.
  with wanted as materialized (
    select a.*
    from private.apps_in_requests(p_user_ids) as a
    -- Not `not exists`: that can be planned as a join that reads all apps for every batch of users.
    where (select there.id from public.apps as there where there.id = a.app_id) is null
  ),
  made as (
    insert into public.apps (id, user_id, app_name, created_at)
    select distinct on (w.user_id, w.wanted) w.app_id, w.user_id, w.wanted, coalesce(w.since, now())
    from wanted as w
    order by w.user_id, w.wanted, w.since nulls last, w.first_request_id
    on conflict do nothing
    returning id
  )
  select
    (select count(*) from made),
    (
      select jsonb_agg(to_jsonb(w))
      from wanted as w
      where w.app_id not in (select m.id from made as m)
    )
  into v_made, v_left;

  for v_app in
    -- Start with the number of apps before it that want the same name: a thousand would otherwise try half a million.
    select l.*, row_number() over (partition by l.user_id, l.wanted order by l.since nulls last, l.first_request_id) as nth
    from jsonb_to_recordset(v_left)
      as l (user_id uuid, app_id uuid, wanted text, since timestamptz, first_request_id integer)
    order by l.user_id, l.since nulls last, l.first_request_id
  loop
    v_name := private.free_app_name(v_app.user_id, v_app.wanted, v_app.nth::integer);
    insert into public.apps (id, user_id, app_name, created_at)
    values (v_app.app_id, v_app.user_id, v_name, coalesce(v_app.since, now()))
    on conflict do nothing;
    -- Not inserted: an app of another user has the id.
    continue when not found;
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    values ('apps', v_app.first_request_id, v_app.user_id, 'app_name', v_app.wanted, v_name,
      'another app of the user has the name: the app gets another one, the request keeps it');
    v_made := v_made + 1;
  end loop;

  return v_made;
end
$$;

comment on function private.name_apps(uuid[]) is 'Creates the apps of these users from their requests. To be called under their locks. Returns the number of apps.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.name_apps(uuid[]);
drop function private.free_app_name(uuid, text, integer);
drop function private.apps_in_requests(uuid[]);
drop function private.user_lock_key(uuid);
drop function private.visible_name(text);
drop function private.app_id_of_request(integer);
