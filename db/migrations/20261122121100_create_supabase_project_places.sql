-- Which app has a place in which project of the pool. A row of its own, because a place outlives its app: what an app
-- leaves in the project has to be wiped before another may have the place. The row goes when the place is free.
-- An app that comes back under its old id, from a backup say, gets no place while its old one is not wiped: the primary
-- key refuses it.
-- Deliberately absent: a foreign key to apps, a user's id, a grant to write: only the functions that keep
-- supabase_projects.used in step do.
-- Locks: SHARE ROW EXCLUSIVE on supabase_projects for an instant. Undo: drops the table while it is empty;
-- that locks supabase_projects too, ACCESS EXCLUSIVE, for an instant.

-- migrate:up
set local lock_timeout = '3s';

create type public.supabase_place_status as enum ('allocated', 'releasing');
comment on type public.supabase_place_status is 'allocated: an app lives there; releasing: the app is gone, and what it left is not wiped yet.';

create table public.supabase_project_places (
  app_id uuid,
  supabase_project_ref text not null,
  status public.supabase_place_status not null default 'allocated',
  allocated_at timestamptz not null default now(),
  releasing_since timestamptz,
  constraint supabase_project_places_pkey primary key (app_id),
  -- What lets an app prove that its project is the one that it has its place in.
  constraint supabase_project_places_supabase_project_ref_app_id_key unique (supabase_project_ref, app_id),
  constraint supabase_project_places_supabase_project_ref_fkey foreign key (supabase_project_ref)
    references public.supabase_projects (ref),
  constraint supabase_project_places_releasing_since_says_status_check check (
    (releasing_since is not null) = (status = 'releasing')
  )
);

comment on table public.supabase_project_places is 'Places of apps in the projects of the pool, until they are wiped.';
comment on column public.supabase_project_places.app_id is 'The app that has the place, or had it.';
comment on column public.supabase_project_places.supabase_project_ref is 'The project.';
comment on column public.supabase_project_places.status is 'Does the app still live there?';
comment on column public.supabase_project_places.allocated_at is 'Since when the place is taken.';
comment on column public.supabase_project_places.releasing_since is 'Since when the app is gone; null while it is there.';

comment on index public.supabase_project_places_supabase_project_ref_app_id_key is
  'Target of the foreign key of apps; serves the one to supabase_projects, and whoever drains a project: which apps are in it.';

revoke all on public.supabase_project_places from public, anon, authenticated, service_role;
grant select on public.supabase_project_places to service_role;

alter table public.supabase_project_places enable row level security;
alter table public.supabase_project_places force row level security;

create policy select_service on public.supabase_project_places for select to service_role using (true);

-- migrate:down
set local lock_timeout = '3s';

lock table public.supabase_projects in access exclusive mode;
select private.assert_no_rows('public.supabase_project_places');
drop table public.supabase_project_places;
drop type public.supabase_place_status;
