-- Creates the functions that tell who makes a change, for the logs that triggers write. In a SECURITY DEFINER function
-- current_user is the definer; the setting `role` still has the role that was set, and session_user the login.
-- A service that acts for a user names the user for its transaction: select set_config('leo.acting_user', '<uuid>', true)
-- The value is supplied by the caller, unverified: it never overrides the identity of a signed-in user, and an invalid
-- value is ignored, because a log must not make the write fail.
-- Not usable in the WHEN of a trigger, which runs as the writer, who may not execute functions of `private`.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

-- In plpgsql, which keeps its plans: an SQL function with a search_path is never inlined, and these two took half the
-- time of an event.
create function private.acting_role()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case current_setting('role') when 'none' then session_user::text else current_setting('role') end;
end
$$;

comment on function private.acting_role() is 'The role that runs the statement, also within SECURITY DEFINER functions.';

create function private.acting_user_id()
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting constant text := current_setting('leo.acting_user', true);
begin
  if private.acting_role() = 'authenticated' then
    return auth.uid();
  end if;
  if v_setting ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return v_setting::uuid;
  end if;
  return null;
end
$$;

comment on function private.acting_user_id() is
  'The user who acts: the signed-in user, otherwise the one that a service names in leo.acting_user. Null if the setting is missing or invalid.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.acting_user_id();
drop function private.acting_role();
