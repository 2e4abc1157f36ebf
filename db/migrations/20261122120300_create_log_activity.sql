-- Creates the function that the triggers of the activity log call; the triggers decide which changes are a user's.
-- The user of an entry is the owner of the object. A change that only users make counts as the owner's, whichever role writes the
-- row; a change that services make as well counts only if private.acting_user_id() is the owner. Otherwise no entry is
-- written: an entry of one user never is about another user's object.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create function private.request_metadata(out ip inet, out user_agent text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting constant text := current_setting('request.headers', true);
  v_headers jsonb;
begin
  -- Without a request: do not start a subtransaction.
  if coalesce(v_setting, '') = '' then
    return;
  end if;

  -- Headers from a client must not make a write fail. PostgreSQL 15 has no function to test whether a text is JSON.
  begin
    v_headers := v_setting::jsonb;
  exception
    when data_exception or program_limit_exceeded then
      return;
  end;
  user_agent := nullif(left(v_headers ->> 'user-agent', 512), '');

  begin
    ip := nullif(btrim(split_part(v_headers ->> 'x-forwarded-for', ',', 1)), '')::inet;
  exception
    when data_exception then
      null;
  end;
end
$$;

comment on function private.request_metadata() is
  'Address and user agent of a Data API request, from its headers. Raises no error.';

create function private.log_activity(
  p_user_id uuid,
  p_object_type text,
  p_object_id text,
  p_action text,
  p_detail jsonb
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- An operator restores rows from quarantine, which is no activity. A user cannot claim that.
  if current_setting('leo.is_upgrade', true) = 'on' and private.acting_role() <> 'authenticated' then
    return;
  end if;

  -- No entry for a user who is being deleted. Waiting for the deletion, as the foreign key would, is a deadlock: its
  -- cascade waits for the row that is written here.
  perform from auth.users as u where u.id = p_user_id for key share skip locked;
  if not found then
    return;
  end if;

  insert into public.user_activity_log (user_id, object_type, object_id, action, ip, user_agent, detail)
  select p_user_id, p_object_type, p_object_id, p_action, r.ip, r.user_agent, p_detail
  from private.request_metadata() as r;
end
$$;

comment on function private.log_activity(uuid, text, text, text, jsonb) is
  'Inserts an entry of the activity log, unless the user is being deleted.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.log_activity(uuid, text, text, text, jsonb);
drop function private.request_metadata();
