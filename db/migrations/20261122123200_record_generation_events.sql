-- From here on every generation writes its timeline: one event when it comes, one for each change of status, whoever
-- makes it. AFTER triggers, so that what the status machine refuses leaves no trace; their WHEN makes every other update
-- free. A deletion writes nothing.
-- A person who acts is named only while their account is there. SKIP LOCKED: one who is being deleted at this moment is
-- not waited for, which could be for ever, as the deletion may be waiting for the generation that is changed here.
-- Deliberately absent: first events for the generations that are there already. When they changed is not known; their
-- timeline begins with the next change, and from_status says what was before.
-- Locks: SHARE ROW EXCLUSIVE for an instant. Undo: drops the triggers, the events stay.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_generation_requests__record_event()
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

comment on function private.tg_generation_requests__record_event() is
  'Trigger: writes the event of a change of status. Definer: nobody else may write the timeline.';

create trigger _900_record_first_event after insert on public.generation_requests
  for each row execute function private.tg_generation_requests__record_event();
create trigger _900_record_event after update on public.generation_requests
  for each row when (old.status is distinct from new.status)
  execute function private.tg_generation_requests__record_event();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_record_event on public.generation_requests;
drop trigger _900_record_first_event on public.generation_requests;
drop function private.tg_generation_requests__record_event();
