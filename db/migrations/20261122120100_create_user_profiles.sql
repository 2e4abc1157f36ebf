-- What Supabase Auth does not keep of a user: a name to show, a picture, settings.
-- An UPDATE of preferences is a patch, not a replacement, whoever writes it, so that two pages that each save their own
-- setting never overwrite each other; ON CONFLICT DO UPDATE likewise. A value is removed by null, all of them one by one.
-- Sizes and depth are those of the merged value. An INSERT keeps what it is given, nulls too: the trigger cannot strip
-- them, or an upsert would lose the ones that remove.
-- Deliberately absent: a trigger on auth.users, which could keep a person from signing up. No row reads as defaults.
-- user_id is granted on update because the Data API's upsert sets it, too, to what it is: row security lets nobody set
-- another. Not granted to users: DELETE (the row goes with its user), the times.
-- Locks: SHARE ROW EXCLUSIVE on auth.users for an instant. Undo: drops the table while it is empty;
-- that locks auth.users too, ACCESS EXCLUSIVE, for an instant.

-- migrate:up
set local lock_timeout = '3s';

create table public.user_profiles (
  user_id uuid,
  display_name text,
  avatar_url text,
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_profiles_pkey primary key (user_id),
  constraint user_profiles_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  -- The same code points as in apps_app_name_not_blank_check.
  constraint user_profiles_display_name_not_blank_check check (
    display_name collate "C" ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]'
  ),
  constraint user_profiles_display_name_at_most_120_characters_check check (char_length(display_name) <= 120),
  constraint user_profiles_avatar_url_is_https_check check (avatar_url collate "C" ~ '^https://[!-~]+$'),
  constraint user_profiles_avatar_url_at_most_2048_characters_check check (char_length(avatar_url) <= 2048),
  -- PostgreSQL asks in the order of the names: the size first, the depth of what is small only.
  constraint user_profiles_preferences_at_most_16_kib_check check (octet_length(preferences::text) <= 16384),
  constraint user_profiles_preferences_at_most_32_levels_check check (not preferences @? '$.**{33}'),
  constraint user_profiles_preferences_is_object_check check (jsonb_typeof(preferences) = 'object')
);

comment on table public.user_profiles is 'What a user shows of themselves and has set. A user without a row has the defaults.';
comment on column public.user_profiles.user_id is 'The Supabase Auth user; deleting the user deletes it.';
comment on column public.user_profiles.display_name is 'How the user wants to be called; null if they have not said.';
comment on column public.user_profiles.avatar_url is 'Where their picture is; null if there is none.';
comment on column public.user_profiles.preferences is 'The user''s settings, a JSON object. An update is merged into it (RFC 7396): null removes a member.';
comment on column public.user_profiles.created_at is 'When it was created.';
comment on column public.user_profiles.updated_at is 'When the row last changed; kept by trigger.';

create function private.tg_user_profiles__merge_preferences()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- No patch within reason is larger, at some four times its text; unmerged, it is refused by the check of the size.
  if pg_column_size(new.preferences) <= 131072 then
    new.preferences := private.merge_json(old.preferences, new.preferences);
  end if;
  return new;
end
$$;

comment on function private.tg_user_profiles__merge_preferences() is
  'Trigger: takes new preferences for a patch of the old ones. SECURITY DEFINER because nobody else may use private.';

create trigger _100_merge_preferences before update of preferences on public.user_profiles
  for each row execute function private.tg_user_profiles__merge_preferences();
create trigger _100_touch_updated_at before update on public.user_profiles
  for each row execute function private.tg__touch_updated_at();

revoke all on public.user_profiles from public, anon, authenticated, service_role;
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
