-- The timeline is written once a statement, not once a row: a worker that claims or completes ten generations at a time
-- pays for one insert, and asks once who acts. What it says is what it said before.
-- A trigger that sees a statement's rows takes neither a list of columns nor WHEN, so every update of generations calls
-- it; one that changes no status finds nothing to write.
-- Locks: ACCESS EXCLUSIVE for an instant, as dropping a trigger does. Undo: puts the triggers for each row back.

-- migrate:up
set local lock_timeout = '3s';

create or replace function private.tg_generation_requests__record_event()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role constant text := private.acting_role();
  v_person uuid := private.acting_user_id();
  v_reason constant text := nullif(current_setting('leo.reason', true), '');
  v_actor constant public.event_actor := case
    when v_role = 'authenticated' then 'user'
    -- The owner, who is current_user here, and superusers have everybody's rights.
    when v_role <> current_user and pg_has_role(v_role, 'service_role', 'usage')
      and not (select r.rolsuper from pg_roles as r where r.rolname = v_role) then 'service'
    else 'system'
  end;
begin
  if v_person is not null then
    select u.id into v_person from auth.users as u where u.id = v_person for key share skip locked;
  end if;

  if tg_op = 'INSERT' then
    insert into public.generation_events
      (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
    select
      n.user_id, n.id, null, n.status, n.current_iteration,
      left(coalesce(v_reason, case when n.status = 'failed' then nullif(n.error_message, '') end), 2000),
      v_actor, v_person
    from new_rows as n;
  else
    insert into public.generation_events
      (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
    select
      n.user_id, n.id, o.status, n.status, n.current_iteration,
      left(coalesce(v_reason, case when n.status = 'failed' then nullif(n.error_message, '') end), 2000),
      v_actor, v_person
    from old_rows as o
    join new_rows as n on n.id = o.id
    where n.status <> o.status;
  end if;
  return null;
end
$$;

drop trigger _900_record_first_event on public.generation_requests;
create trigger _900_record_first_event after insert on public.generation_requests
  referencing new table as new_rows
  for each statement execute function private.tg_generation_requests__record_event();

drop trigger _900_record_event on public.generation_requests;
create trigger _900_record_event after update on public.generation_requests
  referencing old table as old_rows new table as new_rows
  for each statement execute function private.tg_generation_requests__record_event();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_record_event on public.generation_requests;
drop trigger _900_record_first_event on public.generation_requests;

create or replace function private.tg_generation_requests__record_event()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role constant text := private.acting_role();
  v_person uuid := private.acting_user_id();
begin
  if v_person is not null then
    select u.id into v_person from auth.users as u where u.id = v_person for key share skip locked;
  end if;

  insert into public.generation_events
    (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
  values (
    new.user_id,
    new.id,
    case when tg_op = 'UPDATE' then old.status end,
    new.status,
    new.current_iteration,
    left(
      coalesce(
        nullif(current_setting('leo.reason', true), ''),
        case when new.status = 'failed' then nullif(new.error_message, '') end
      ),
      2000
    ),
    case
      when v_role = 'authenticated' then 'user'
      -- The owner, who is current_user here, and superusers have everybody's rights.
      when v_role <> current_user and pg_has_role(v_role, 'service_role', 'usage')
        and not (select r.rolsuper from pg_roles as r where r.rolname = v_role) then 'service'
      else 'system'
    end::public.event_actor,
    v_person
  );
  return null;
end
$$;

create trigger _900_record_first_event after insert on public.generation_requests
  for each row execute function private.tg_generation_requests__record_event();
create trigger _900_record_event after update on public.generation_requests
  for each row when (old.status is distinct from new.status)
  execute function private.tg_generation_requests__record_event();
