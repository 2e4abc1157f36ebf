-- Records every change of a setting. Not recorded: a description; a re-wrapped value, which has the same ciphertext; an
-- update without a change. Encrypting a key redacts its plain values; a statement that renames and encrypts a key redacts
-- both names.
-- Writers of settings wait for each other from their first statement to the end of the transaction, before they lock a
-- row; locking later, two writers of several keys could deadlock. Existing keys are recorded as `found`, so that a change
-- that bypasses the triggers is detectable.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers and keeps the entries.

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
  'Trigger: makes writers of settings wait for each other. SECURITY DEFINER: other roles may not access the chain.';

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
  'Trigger: appends to the history, and redacts a key that is encrypted. SECURITY DEFINER: other roles may not write the history.';

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
