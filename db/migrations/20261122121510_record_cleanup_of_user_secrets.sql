-- Cutting a connection, or deleting the user, leaves a token that is still good at its provider: a row for each, with
-- the sealed token and what opens it. Never two tokens in one row, so there is no look at what is open already.
-- Locks: SHARE ROW EXCLUSIVE on user_secrets for an instant. Undo: drops the trigger.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_user_secrets__record_cleanup()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into public.cleanup_outbox (kind, target, sealed_token, context)
  values (
    'oauth_token', old.provider, old.encrypted_token,
    jsonb_build_object('secret_id', old.id, 'user_id', old.user_id, 'provider', old.provider)
  );
  return old;
end
$$;

comment on function private.tg_user_secrets__record_cleanup() is
  'Trigger: writes to cleanup_outbox which token to revoke. Definer: nobody who deletes secrets may write there.';

create trigger _500_record_cleanup before delete on public.user_secrets
  for each row execute function private.tg_user_secrets__record_cleanup();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _500_record_cleanup on public.user_secrets;
drop function private.tg_user_secrets__record_cleanup();
