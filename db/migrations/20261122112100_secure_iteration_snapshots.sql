-- Contract: grants and row security of snapshots. Users read the snapshots of their own generations, services insert them.
-- No role may update or delete one; they are deleted with their generation.
-- Locks: ACCESS EXCLUSIVE, briefly. Undo: disables row security and grants access to no role, so stop the services first.

-- migrate:up
set local lock_timeout = '3s';

revoke all on public.iteration_snapshots from public, anon, authenticated, service_role;
grant select on public.iteration_snapshots to authenticated;
grant select, insert on public.iteration_snapshots to service_role;

revoke all on sequence public.iteration_snapshots_id_seq from public, anon, authenticated, service_role;
grant usage on sequence public.iteration_snapshots_id_seq to service_role;

alter table public.iteration_snapshots enable row level security;
alter table public.iteration_snapshots force row level security;

create policy select_own on public.iteration_snapshots for select to authenticated
  using (user_id = (select auth.uid()));
create policy select_service on public.iteration_snapshots for select to service_role using (true);
create policy insert_service on public.iteration_snapshots for insert to service_role with check (true);

-- migrate:down
set local lock_timeout = '3s';

drop policy insert_service on public.iteration_snapshots;
drop policy select_service on public.iteration_snapshots;
drop policy select_own on public.iteration_snapshots;
alter table public.iteration_snapshots no force row level security;
alter table public.iteration_snapshots disable row level security;
revoke all on sequence public.iteration_snapshots_id_seq from service_role;
revoke all on public.iteration_snapshots from authenticated, service_role;
