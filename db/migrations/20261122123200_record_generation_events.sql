-- Records the timeline: an event for each new generation and for each change of status. AFTER triggers, so that a refused
-- change leaves no event. Per statement: a worker that claims or completes ten generations inserts once. Such a trigger
-- can have neither a column list nor a WHEN, so every update of generations calls it.
-- Deliberately absent: first events for existing generations, whose history is not known.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers and keeps the events.

-- migrate:up
set local lock_timeout = '3s';

-- The acting user is recorded while the account exists. SKIP LOCKED: an account that is being deleted is not waited for,
-- because the deletion can be waiting for the generation that is changed here.
create function private.tg_generation_requests__record_event()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role constant text := private.acting_role();
  v_user_id uuid := private.acting_user_id();
  v_reason constant text := nullif(current_setting('leo.reason', true), '');
  v_actor constant public.event_actor := case
    when v_role = 'authenticated' then 'user'
    -- The owner, who is current_user here, and superusers have the privileges of service_role, too.
    when v_role <> current_user and pg_has_role(v_role, 'service_role', 'usage')
      and not (select r.rolsuper from pg_roles as r where r.rolname = v_role) then 'service'
    else 'system'
  end;
begin
  if v_user_id is not null then
    select u.id into v_user_id from auth.users as u where u.id = v_user_id for key share skip locked;
  end if;

  if tg_op = 'INSERT' then
    insert into public.generation_events
      (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
    select
      n.user_id, n.id, null, n.status, n.current_iteration,
      left(coalesce(v_reason, case when n.status = 'failed' then nullif(n.error_message, '') end), 2000),
      v_actor, v_user_id
    from new_rows as n;
  else
    insert into public.generation_events
      (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
    select
      n.user_id, n.id, o.status, n.status, n.current_iteration,
      left(coalesce(v_reason, case when n.status = 'failed' then nullif(n.error_message, '') end), 2000),
      v_actor, v_user_id
    from old_rows as o
    join new_rows as n on n.id = o.id
    where n.status <> o.status;
  end if;
  return null;
end
$$;

comment on function private.tg_generation_requests__record_event() is
  'Trigger: inserts the events of changes of status. SECURITY DEFINER: other roles may not write the timeline.';

create trigger _900_record_first_event after insert on public.generation_requests
  referencing new table as new_rows
  for each statement execute function private.tg_generation_requests__record_event();
create trigger _900_record_event after update on public.generation_requests
  referencing old table as old_rows new table as new_rows
  for each statement execute function private.tg_generation_requests__record_event();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_record_event on public.generation_requests;
drop trigger _900_record_first_event on public.generation_requests;
drop function private.tg_generation_requests__record_event();
