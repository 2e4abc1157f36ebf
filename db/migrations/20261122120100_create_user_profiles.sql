-- Creates user profiles: a display name, a picture and preferences, which Supabase Auth does not store.
-- Deliberately absent: a trigger on auth.users, which could make a sign-up fail; a missing row reads as the defaults. Not
-- granted to users: DELETE, the times.
-- Locks: SHARE ROW EXCLUSIVE on auth.users, briefly.
-- Undo: drops the table if it is empty, under ACCESS EXCLUSIVE on auth.users.

-- migrate:up
set local lock_timeout = '3s';

-- RFC 7396, JSON Merge Patch: objects are merged member by member, null removes a member, other values replace. The
-- recursion is bounded; a check refuses what is deeper.
create function private.merge_json(p_target jsonb, p_patch jsonb, p_levels integer default 32)
returns jsonb
language plpgsql
immutable
strict
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_target constant jsonb := case jsonb_typeof(p_target) when 'object' then p_target else '{}' end;
begin
  if p_levels <= 0 or jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;

  return coalesce(
    (
      select jsonb_object_agg(m.key, m.value)
      from (
        select t.key, t.value
        from jsonb_each(v_target) as t
        where not p_patch ? t.key
        union all
        select
          p.key,
          case jsonb_typeof(p.value)
            when 'object' then private.merge_json(coalesce(v_target -> p.key, '{}'), p.value, p_levels - 1)
            else p.value
          end
        from jsonb_each(p_patch) as p
        where jsonb_typeof(p.value) <> 'null'
      ) as m
    ),
    '{}'
  );
end
$$;

comment on function private.merge_json(jsonb, jsonb, integer) is
  'RFC 7396: merges the patch into the target, down to p_levels levels of objects; below, the patch replaces.';

create table public.user_profiles (
  user_id uuid,
  display_name text,
  avatar_url text,
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_profiles_pkey primary key (user_id),
  constraint user_profiles_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint user_profiles_display_name_not_blank_check check (private.has_visible_character(display_name)),
  constraint user_profiles_display_name_at_most_120_characters_check check (char_length(display_name) <= 120),
  constraint user_profiles_avatar_url_is_https_check check (private.is_https_url(avatar_url)),
  constraint user_profiles_avatar_url_at_most_2048_characters_check check (char_length(avatar_url) <= 2048),
  -- Checks run in the order of their names: the size first, the depth of small values only.
  constraint user_profiles_preferences_at_most_16_kib_check check (octet_length(preferences::text) <= 16384),
  constraint user_profiles_preferences_at_most_32_levels_check check (not preferences @? '$.**{33}'),
  constraint user_profiles_preferences_is_object_check check (jsonb_typeof(preferences) = 'object')
);

comment on table public.user_profiles is 'Display name, picture and preferences of users. A user without a row has the defaults.';
comment on column public.user_profiles.user_id is 'The Supabase Auth user; deleting the user deletes it.';
comment on column public.user_profiles.display_name is 'The display name; null if not set.';
comment on column public.user_profiles.avatar_url is 'URL of the picture; null if there is none.';
comment on column public.user_profiles.preferences is 'The settings of the user, a JSON object. An update is merged into it (RFC 7396): null removes a member.';
comment on column public.user_profiles.created_at is 'When it was created.';
comment on column public.user_profiles.updated_at is 'When the row last changed; set by trigger.';

-- An UPDATE of preferences is merged into them, whichever role writes it, so that concurrent saves of different settings keep
-- both; so does ON CONFLICT DO UPDATE. Size and depth are checked on the merged value. An INSERT stores nulls too:
-- stripping them would make an upsert lose its removals.
create function private.tg_user_profiles__merge_preferences()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A valid patch is smaller, at about four times its text; a larger one is not merged, and the check refuses its size.
  if pg_column_size(new.preferences) <= 131072 then
    new.preferences := private.merge_json(old.preferences, new.preferences);
  end if;
  return new;
end
$$;

comment on function private.tg_user_profiles__merge_preferences() is
  'Trigger: merges the new preferences into the old ones. SECURITY DEFINER: writers may not use private.';

create trigger _100_merge_preferences before update of preferences on public.user_profiles
  for each row execute function private.tg_user_profiles__merge_preferences();
create trigger _100_touch_updated_at before update on public.user_profiles
  for each row execute function private.tg__touch_updated_at();

revoke all on public.user_profiles from public, anon, authenticated, service_role;
-- user_id is granted on update, because the Data API's upsert sets it to its present value; row security refuses another.
grant
  select,
  insert (user_id, display_name, avatar_url, preferences),
  update (user_id, display_name, avatar_url, preferences)
  on public.user_profiles to authenticated;
grant select, insert, update, delete on public.user_profiles to service_role;

alter table public.user_profiles enable row level security;
alter table public.user_profiles force row level security;

create policy select_own on public.user_profiles for select to authenticated using (user_id = (select auth.uid()));
create policy insert_own on public.user_profiles for insert to authenticated with check (user_id = (select auth.uid()));
create policy update_own on public.user_profiles for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy all_service on public.user_profiles for all to service_role using (true) with check (true);

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.user_profiles');
drop table public.user_profiles;
drop function private.tg_user_profiles__merge_preferences();
drop function private.merge_json(jsonb, jsonb, integer);
