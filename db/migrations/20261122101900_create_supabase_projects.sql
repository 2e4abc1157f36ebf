-- Creates the pool of Supabase projects, each with places for a number of apps, and the places of apps in them.
-- Deliberately absent: policies for users, who read apps.supabase_project_ref; grants to write `used` or a place, which
-- only the allocating and releasing functions do; DELETE on projects; a foreign key from a place to its app.
-- Locks: none, the tables are new. Undo: drops the tables if they are empty.

-- migrate:up
set local lock_timeout = '3s';

create type public.supabase_project_status as enum ('active', 'draining', 'retired');
comment on type public.supabase_project_status is 'active: gets new apps; draining: keeps its apps and gets no new ones; retired: has no apps.';

-- `used` counts the allocated places and those of deleted apps that are not wiped yet; a capacity below it is refused. To
-- remove a project from the pool, set it to draining, then to retired when its last place is free.
-- squawk-ignore prefer-bigint-over-int: a project holds hundreds of apps, and a bigint is a string in JavaScript
create table public.supabase_projects (
  ref text,
  pool text not null,
  region text not null,
  capacity integer not null,
  used integer not null default 0,
  status public.supabase_project_status not null default 'active',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint supabase_projects_pkey primary key (ref),
  constraint supabase_projects_ref_form_check check (ref collate "C" ~ '^[a-z]+$' and char_length(ref) = 20),
  constraint supabase_projects_pool_is_slug_check check (pool collate "C" ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and char_length(pool) <= 64),
  constraint supabase_projects_region_is_slug_check check (region collate "C" ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and char_length(region) <= 64),
  constraint supabase_projects_capacity_positive_check check (capacity > 0),
  constraint supabase_projects_used_not_negative_check check (used >= 0),
  constraint supabase_projects_used_within_capacity_check check (used <= capacity),
  constraint supabase_projects_retired_is_empty_check check (status <> 'retired' or used = 0)
);

comment on table public.supabase_projects is 'Supabase projects in which apps get their databases. Services only.';
comment on column public.supabase_projects.ref is 'The ref of the project in Supabase: twenty lower-case letters.';
comment on column public.supabase_projects.pool is 'The pool that it belongs to, as a slug; its meaning is defined by the deployer.';
comment on column public.supabase_projects.region is 'Its region, as a slug, such as eu-central-1.';
comment on column public.supabase_projects.capacity is 'The maximum number of apps.';
comment on column public.supabase_projects.used is 'The number of places that are allocated or not wiped yet; kept by the functions that allocate and release them.';
comment on column public.supabase_projects.status is 'Whether it gets new apps.';
comment on column public.supabase_projects.created_at is 'When it was added to the pool.';
comment on column public.supabase_projects.updated_at is 'When the row last changed; set by trigger.';

create trigger _100_touch_updated_at before update on public.supabase_projects
  for each row execute function private.tg__touch_updated_at();

revoke all on public.supabase_projects from public, anon, authenticated, service_role;
grant
  select,
  insert (ref, pool, region, capacity, status),
  update (pool, region, capacity, status)
  on public.supabase_projects to service_role;

alter table public.supabase_projects enable row level security;
alter table public.supabase_projects force row level security;

create policy select_service on public.supabase_projects for select to service_role using (true);
create policy insert_service on public.supabase_projects for insert to service_role with check (true);
create policy update_service on public.supabase_projects for update to service_role using (true) with check (true);

create type public.supabase_place_status as enum ('allocated', 'releasing');
comment on type public.supabase_place_status is 'allocated: in use by an app; releasing: the app is deleted, and its data is not wiped yet.';

-- A place is a row of its own, because it outlives its app: what the app leaves in the project must be wiped before
-- another app gets the place. Until then the primary key refuses a place to an app restored under the same id.
create table public.supabase_project_places (
  app_id uuid,
  supabase_project_ref text not null,
  status public.supabase_place_status not null default 'allocated',
  allocated_at timestamptz not null default now(),
  releasing_since timestamptz,
  constraint supabase_project_places_pkey primary key (app_id),
  -- The target of the foreign key of apps: an app's project is the one where it has its place.
  constraint supabase_project_places_supabase_project_ref_app_id_key unique (supabase_project_ref, app_id),
  constraint supabase_project_places_supabase_project_ref_fkey foreign key (supabase_project_ref)
    references public.supabase_projects (ref),
  constraint supabase_project_places_releasing_since_says_status_check check (
    (releasing_since is not null) = (status = 'releasing')
  )
);

comment on table public.supabase_project_places is 'Places of apps in the projects of the pool, until they are wiped.';
comment on column public.supabase_project_places.app_id is 'The app that has the place, or had it until it was deleted.';
comment on column public.supabase_project_places.supabase_project_ref is 'The project.';
comment on column public.supabase_project_places.status is 'Whether the app exists.';
comment on column public.supabase_project_places.allocated_at is 'When the place was allocated.';
comment on column public.supabase_project_places.releasing_since is 'When the app was deleted; null while it exists.';

comment on index public.supabase_project_places_supabase_project_ref_app_id_key is
  'Target of the foreign key of apps; serves the foreign key to supabase_projects, and finds the apps of a project.';

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
select private.assert_no_rows('public.supabase_projects');
drop table public.supabase_projects;
drop type public.supabase_project_status;
