-- Logs the activity on connections. Only users create and delete them, so both count as the owner's. A new token counts
-- only if a service names the owner in leo.acting_user; otherwise it was refreshed or wrapped again. The entry has the
-- provider only.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_user_secrets__log_activity()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  case tg_op
    when 'INSERT' then
      perform private.log_activity(
        new.user_id, 'secret', new.id::text, 'connect', jsonb_build_object('provider', new.provider)
      );
    when 'UPDATE' then
      if private.acting_user_id() = new.user_id then
        perform private.log_activity(
          new.user_id, 'secret', new.id::text, 'replace', jsonb_build_object('provider', new.provider)
        );
      end if;
    else
      perform private.log_activity(
        old.user_id, 'secret', old.id::text, 'remove', jsonb_build_object('provider', old.provider)
      );
  end case;
  return null;
end
$$;

comment on function private.tg_user_secrets__log_activity() is
  'Trigger: logs that the owner connected a provider, replaced the token, or deleted the connection.';

create trigger _900_log_connect after insert on public.user_secrets
  for each row execute function private.tg_user_secrets__log_activity();
create trigger _900_log_replace after update of encrypted_token on public.user_secrets
  for each row when (old.encrypted_token is distinct from new.encrypted_token)
  execute function private.tg_user_secrets__log_activity();
create trigger _900_log_remove after delete on public.user_secrets
  for each row execute function private.tg_user_secrets__log_activity();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_log_remove on public.user_secrets;
drop trigger _900_log_replace on public.user_secrets;
drop trigger _900_log_connect on public.user_secrets;
drop function private.tg_user_secrets__log_activity();
