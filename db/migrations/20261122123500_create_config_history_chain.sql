-- Creates the functions that append to the history of settings and that redact it.
-- The input of the hash is unambiguous: each field is its length in bytes, a colon and the text, or a dash for null,
-- separated by commas. `make verify-audit` computes the hash independently of these functions.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create function private.hash_config_history(p_entry public.deployment_config_history)
returns bytea
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select sha256(convert_to(
    string_agg(coalesce(octet_length(convert_to(field, 'UTF8')) || ':' || field, '-'), ',' order by position),
    'UTF8'
  ))
  from unnest(array[
    encode(p_entry.previous_hash, 'hex'),
    p_entry.id::text,
    p_entry.key,
    p_entry.action::text,
    p_entry.old_encrypted::text,
    p_entry.new_encrypted::text,
    p_entry.old_key_id,
    p_entry.new_key_id,
    encode(p_entry.old_digest, 'hex'),
    encode(p_entry.new_digest, 'hex'),
    p_entry.actor_role,
    p_entry.acting_user_id::text,
    -- Microseconds: the text of a time depends on settings of the session.
    (extract(epoch from p_entry.changed_at) * 1000000)::bigint::text
  ]) with ordinality as fields (field, position)
$$;

comment on function private.hash_config_history(public.deployment_config_history) is
  'The hash of an entry, from its other columns.';

create function private.config_substance(p_config public.deployment_config)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when p_config.encrypted then split_part(p_config.value, '.', 5) else p_config.value end
$$;

comment on function private.config_substance(public.deployment_config) is
  'The part of a value that a re-wrap does not change: the whole plain value, the ciphertext of a sealed one.';

create function private.append_config_history(
  p_key text,
  p_action public.config_action,
  p_old public.deployment_config default null,
  p_new public.deployment_config default null
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_sealing constant boolean := coalesce(p_new.encrypted and not p_old.encrypted, false);
  v_entry public.deployment_config_history;
begin
  select h.hash into strict v_entry.previous_hash from private.audit_heads as h where h.table_name = 'deployment_config_history' for update;

  v_entry.id := nextval('public.deployment_config_history_id_seq');
  v_entry.key := p_key;
  v_entry.action := p_action;
  v_entry.actor_role := private.acting_role();
  v_entry.acting_user_id := private.acting_user_id();
  v_entry.changed_at := now();

  if p_old.key is not null then
    select e.new_salt into v_entry.old_salt
    from public.deployment_config_history as e
    where e.key = p_key and e.action <> 'redact'
    order by e.id desc
    limit 1;

    v_entry.old_salt := coalesce(v_entry.old_salt, uuid_send(gen_random_uuid()));
    v_entry.old_encrypted := p_old.encrypted;
    v_entry.old_digest := sha256(v_entry.old_salt || convert_to(private.config_substance(p_old), 'UTF8'));
    if p_old.encrypted then
      v_entry.old_key_id := split_part(p_old.value, '.', 3);
    elsif v_is_sealing then
      -- Not stored at all: the redaction would follow in the same statement.
      v_entry.old_salt := null;
    else
      v_entry.old_value := p_old.value;
    end if;
  end if;

  if p_new.key is not null then
    v_entry.new_salt := uuid_send(gen_random_uuid());
    v_entry.new_encrypted := p_new.encrypted;
    v_entry.new_digest := sha256(v_entry.new_salt || convert_to(private.config_substance(p_new), 'UTF8'));
    if p_new.encrypted then
      v_entry.new_key_id := split_part(p_new.value, '.', 3);
    else
      v_entry.new_value := p_new.value;
    end if;
  end if;

  v_entry.hash := private.hash_config_history(v_entry);
  insert into public.deployment_config_history select v_entry.*;
  update private.audit_heads set hash = v_entry.hash where table_name = 'deployment_config_history';
end
$$;

comment on function private.append_config_history(text, public.config_action, public.deployment_config, public.deployment_config) is
  'Appends an entry to the chain, one writer at a time.';

create function private.redact_config_history(p_key text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform from private.audit_heads as h where h.table_name = 'deployment_config_history' for update;

  update public.deployment_config_history as e
  set
    old_value = null,
    new_value = null,
    old_salt = case when e.old_encrypted then e.old_salt end,
    new_salt = case when e.new_encrypted then e.new_salt end,
    redacted_at = now()
  where e.key = p_key and e.redacted_at is null and (e.old_encrypted is false or e.new_encrypted is false);

  if found then
    perform private.append_config_history(p_key, 'redact');
  end if;
end
$$;

comment on function private.redact_config_history(text) is
  'Removes all plain values of a key and their salts from the history, and records that. Called by trigger when the key is encrypted, and by an operator for a secret that was stored in plain and deleted. Backups and the write-ahead log keep the value, so such a secret must be replaced, too.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.redact_config_history(text);
drop function private.append_config_history(text, public.config_action, public.deployment_config, public.deployment_config);
drop function private.config_substance(public.deployment_config);
drop function private.hash_config_history(public.deployment_config_history);
