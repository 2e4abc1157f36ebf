-- Creates apps: the identity of an app over all of its generations; its name is unique per user.
-- UNIQUE (user_id, id) is the target of the children's foreign keys, which thereby prove that parent and child have the
-- same owner. The foreign key to supabase_project_places proves that an app with a project has an allocated place there;
-- the app is deleted before its place, so it does not cascade.
-- Deliberately absent: uniqueness of names across users; case-insensitive names; a grant to write supabase_project_ref. A
-- column that is added later has to be granted to service_role by name.
-- Locks: SHARE ROW EXCLUSIVE on auth.users, then on supabase_project_places, briefly.
-- Undo: drops the table if it is empty, under ACCESS EXCLUSIVE on both.

-- migrate:up
set local lock_timeout = '3s';

create table public.apps (
  id uuid default gen_random_uuid(),
  user_id uuid not null,
  app_name text not null,
  created_at timestamptz not null default now(),
  supabase_project_ref text,
  constraint apps_pkey primary key (id),
  constraint apps_user_id_app_name_key unique (user_id, app_name),
  constraint apps_user_id_id_key unique (user_id, id),
  constraint apps_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint apps_supabase_project_ref_id_fkey foreign key (supabase_project_ref, id)
    references public.supabase_project_places (supabase_project_ref, app_id),
  constraint apps_app_name_not_blank_check check (private.has_visible_character(app_name)),
  constraint apps_app_name_at_most_120_characters_check check (char_length(app_name) <= 120)
);

comment on table public.apps is 'The apps of users: their identity over all generations.';
comment on column public.apps.id is 'Identifies the app, also in the name of its GitHub repository.';
comment on column public.apps.user_id is 'The Supabase Auth user who owns the app; deleting the user deletes it.';
comment on column public.apps.app_name is 'Display name, unique among the user''s apps.';
comment on column public.apps.created_at is 'When it was created.';
comment on column public.apps.supabase_project_ref is
  'The Supabase project with the app''s database; null until one is allocated. Written by private.allocate_supabase_project only.';

create index apps_user_id_created_at_id_idx on public.apps (user_id, created_at desc, id desc);
comment on index public.apps_user_id_created_at_id_idx is 'Serves apps.list: a user''s apps, newest first, page by page.';
create index apps_supabase_project_ref_id_idx on public.apps (supabase_project_ref, id);
comment on index public.apps_supabase_project_ref_id_idx is
  'Serves the foreign key, and finds the apps of a project.';

revoke all on public.apps from public, anon, authenticated, service_role;
-- Not granted to users: the id, the creation time and, on update, the owner.
grant select, insert (user_id, app_name), update (app_name), delete on public.apps to authenticated;
grant
  select,
  insert (id, user_id, app_name, created_at),
  update (id, user_id, app_name, created_at),
  delete
  on public.apps to service_role;

alter table public.apps enable row level security;
alter table public.apps force row level security;

create policy select_own on public.apps for select to authenticated using (user_id = (select auth.uid()));
create policy insert_own on public.apps for insert to authenticated with check (user_id = (select auth.uid()));
create policy update_own on public.apps for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy delete_own on public.apps for delete to authenticated using (user_id = (select auth.uid()));
create policy all_service on public.apps for all to service_role using (true) with check (true);

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.apps');
drop table public.apps;
