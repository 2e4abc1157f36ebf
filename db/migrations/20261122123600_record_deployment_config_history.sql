-- From here on every change of config is in the history. No change: a description; a sealed value that was re-wrapped,
-- whose ciphertext is the same under another wrapped key; an update to what is there already.
-- When a key is encrypted its plain values leave the history: of the key that it was, too, when one statement renames
-- and encrypts it.
-- Writers of config take turns from the start of their first statement to the end of their transaction, before they hold
-- the lock of any row: taken later, two who change several keys would wait for each other.
-- The keys that are there already enter the history as found, so that a change that bypasses the triggers shows.
-- Locks: SHARE ROW EXCLUSIVE for an instant. Undo: drops the triggers, the entries stay.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_deployment_config__lock_history()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from private.audit_heads as h where h.table_name = 'deployment_config_history' for update;
  return null;
end
$$;

comment on function private.tg_deployment_config__lock_history() is
  'Trigger: makes writers of config take turns. Definer: nobody else may touch the chain.';

create function private.tg_deployment_config__record_history()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    perform private.append_config_history(new.key, 'insert', p_new => new);
  elsif tg_op = 'DELETE' then
    perform private.append_config_history(old.key, 'delete', p_old => old);
  elsif new.key <> old.key then
    perform private.append_config_history(old.key, 'delete', p_old => old);
    perform private.append_config_history(new.key, 'insert', p_new => new);
    if new.encrypted then
      perform private.redact_config_history(old.key);
    end if;
  elsif new.encrypted <> old.encrypted or private.config_substance(new) <> private.config_substance(old) then
    perform private.append_config_history(new.key, 'update', old, new);
  end if;

  if tg_op <> 'DELETE' and new.encrypted then
    perform private.redact_config_history(new.key);
  end if;
  return null;
end
$$;

comment on function private.tg_deployment_config__record_history() is
  'Trigger: writes the history of config, redacts a key that is encrypted. Definer: nobody else may write the history.';

create trigger _100_lock_history before insert or update or delete on public.deployment_config
  for each statement execute function private.tg_deployment_config__lock_history();
create trigger _900_record_history after insert or update or delete on public.deployment_config
  for each row execute function private.tg_deployment_config__record_history();

select private.append_config_history(c.key, 'found', p_new => c) from public.deployment_config as c order by c.key;

-- migrate:down
set local lock_timeout = '3s';

drop trigger _900_record_history on public.deployment_config;
drop trigger _100_lock_history on public.deployment_config;
drop function private.tg_deployment_config__record_history();
drop function private.tg_deployment_config__lock_history();
