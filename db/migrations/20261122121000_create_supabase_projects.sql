-- The pool: Supabase projects that the platform has made in advance, each with places for a number of apps. `used`
-- counts the places that are taken, those of deleted apps included until they are wiped; a capacity below it is refused.
-- To take a project out of the pool: draining, so that it gets no new apps; when the last place is free, retired.
-- Deliberately absent: a policy for users, who see their app's project in apps.supabase_project_ref; a grant of `used`,
-- which only the functions that take and free places write; a grant of DELETE, for retired is the end of a project.
-- Locks: none, the table is new. Undo: drops the table while it is empty.

-- migrate:up
set local lock_timeout = '3s';

create type public.supabase_project_status as enum ('active', 'draining', 'retired');
comment on type public.supabase_project_status is 'active: gets new apps; draining: keeps those that it has; retired: has none, and never will.';

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
comment on column public.supabase_projects.ref is 'Supabase''s own name for the project: twenty small letters.';
comment on column public.supabase_projects.pool is 'Which pool it belongs to, as a slug; what a pool means is the deployer''s to say.';
comment on column public.supabase_projects.region is 'Where it runs, as a slug: eu-central-1 and so on.';
comment on column public.supabase_projects.capacity is 'How many apps it takes.';
comment on column public.supabase_projects.used is 'How many places are taken or not wiped yet; kept by the functions that take and free them.';
comment on column public.supabase_projects.status is 'Does it get new apps?';
comment on column public.supabase_projects.created_at is 'When it joined the pool.';
comment on column public.supabase_projects.updated_at is 'When the row last changed; kept by trigger.';

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

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.supabase_projects');
drop table public.supabase_projects;
drop type public.supabase_project_status;
