-- Contract: grants and row security of generations. Users insert their own columns, read their own rows and update the
-- status only, within the status machine.
-- Not granted to users: status on insert (it is queued), priority, queue_at, attempt, retry_count, the results;
-- last_session_id, because a worker would resume the session of another user; DELETE, because a generation is deleted with
-- its app. An insert needs USAGE on the sequence of a serial column.
-- Locks: ACCESS EXCLUSIVE, briefly. Undo: disables row security and grants access to no role, so stop the services first.

-- migrate:up
set local lock_timeout = '3s';

revoke all on public.generation_requests from public, anon, authenticated, service_role;
grant
  select,
  insert (user_id, app_id, prompt, initial_prompt, generation_type, mode, max_iterations, idempotency_key),
  update (status)
  on public.generation_requests to authenticated;
grant select, insert, update, delete on public.generation_requests to service_role;

revoke all on sequence public.generation_requests_id_seq from public, anon, authenticated, service_role;
grant usage on sequence public.generation_requests_id_seq to authenticated, service_role;

alter table public.generation_requests enable row level security;
alter table public.generation_requests force row level security;

create policy select_own on public.generation_requests for select to authenticated
  using (user_id = (select auth.uid()));
create policy insert_own on public.generation_requests for insert to authenticated
  with check (user_id = (select auth.uid()) and status = 'queued');
create policy update_own on public.generation_requests for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy all_service on public.generation_requests for all to service_role using (true) with check (true);

-- migrate:down
set local lock_timeout = '3s';

drop policy all_service on public.generation_requests;
drop policy update_own on public.generation_requests;
drop policy insert_own on public.generation_requests;
drop policy select_own on public.generation_requests;
alter table public.generation_requests no force row level security;
alter table public.generation_requests disable row level security;
revoke all on sequence public.generation_requests_id_seq from authenticated, service_role;
revoke all on public.generation_requests from authenticated, service_role;
