-- Creates the settings of the platform, which were in env files before. Services only.
-- The flag `encrypted` and the form of `value` must agree. A trigger checks that before the CHECKs do, because a failing
-- CHECK or NOT NULL would print a plaintext that was meant to be sealed.
-- Deliberately absent: policies for users.
-- Locks: none, the table is new. Undo: drops the table if it is empty.

-- migrate:up
set local lock_timeout = '3s';

create table public.deployment_config (
  key text,
  value text not null,
  encrypted boolean not null default false,
  description text,
  updated_at timestamptz not null default now(),
  constraint deployment_config_pkey primary key (key),
  constraint deployment_config_key_form_check check (key collate "C" ~ '^[A-Za-z][A-Za-z0-9_.-]*$' and char_length(key) <= 128),
  constraint deployment_config_encrypted_says_form_check check (
    case when encrypted then value::public.sealed_secret is not null else value not like 'leo1.%' end
  )
);

comment on table public.deployment_config is 'Settings of the platform, one row per key. Services only.';
comment on column public.deployment_config.key is 'Name of the setting: letters, digits, dot, dash and underscore.';
comment on column public.deployment_config.value is 'Its value: a sealed secret if encrypted is true, plain text if it is false.';
comment on column public.deployment_config.encrypted is 'Whether value is encrypted by KMS (in development, by the local key).';
comment on column public.deployment_config.description is 'What the setting is for.';
comment on column public.deployment_config.updated_at is 'When the row last changed; set by trigger.';

create index deployment_config_sealing_key_key_encrypted_idx on public.deployment_config
  (split_part(value, '.', 3), key)
  where encrypted;
comment on index public.deployment_config_sealing_key_key_encrypted_idx is
  'Serves make key-usage and make rotate-keys: counts and lists the settings that a key sealed.';

create function private.tg_deployment_config__refuse_plaintext()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- NOT NULL refuses a null in `encrypted` later; here it is treated like true.
  if new.encrypted is not false then
    perform new.value::public.sealed_secret;
  elsif new.value like 'leo1.%' then
    raise exception using
      errcode = 'LEO07',
      message = 'a value in sealed form is declared as not encrypted',
      schema = tg_table_schema, table = tg_table_name, column = 'encrypted';
  end if;
  return new;
end
$$;

comment on function private.tg_deployment_config__refuse_plaintext() is
  'Trigger: raises sealed_secret_form_check or LEO07, without the value, when encrypted and the form of value disagree.';

create trigger _100_refuse_plaintext before insert or update on public.deployment_config
  for each row execute function private.tg_deployment_config__refuse_plaintext();
create trigger _100_touch_updated_at before update on public.deployment_config
  for each row execute function private.tg__touch_updated_at();

revoke all on public.deployment_config from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.deployment_config to service_role;

alter table public.deployment_config enable row level security;
alter table public.deployment_config force row level security;

create policy all_service on public.deployment_config for all to service_role using (true) with check (true);

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.deployment_config');
drop table public.deployment_config;
drop function private.tg_deployment_config__refuse_plaintext();
