-- Creates the OAuth tokens of users, one set per user and provider, sealed (see sealed_secret).
-- Users see that a connection exists and when it expires, and may delete it. Services alone read and write the token.
-- Deliberately absent: a grant of encrypted_token to users, so `select *` fails for them.
-- Locks: SHARE ROW EXCLUSIVE on auth.users, briefly.
-- Undo: drops the table if it is empty, under ACCESS EXCLUSIVE on auth.users.

-- migrate:up
set local lock_timeout = '3s';

create table public.user_secrets (
  id uuid default gen_random_uuid(),
  user_id uuid not null,
  provider text not null,
  encrypted_token public.sealed_secret not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint user_secrets_pkey primary key (id),
  constraint user_secrets_user_id_provider_key unique (user_id, provider),
  constraint user_secrets_user_id_fkey foreign key (user_id) references auth.users (id) on delete cascade,
  constraint user_secrets_provider_is_slug_check check (provider collate "C" ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' and char_length(provider) <= 64)
);

comment on table public.user_secrets is 'OAuth tokens of users, one set per provider, encrypted by KMS.';
comment on column public.user_secrets.id is 'Identifies the connection.';
comment on column public.user_secrets.user_id is 'The Supabase Auth user whose token it is; deleting the user deletes it.';
comment on column public.user_secrets.provider is 'The provider of the token, as a slug, such as supabase, github or fly.';
comment on column public.user_secrets.encrypted_token is 'The OAuth token set, encrypted by KMS (in development, by the local key). Not granted to users.';
comment on column public.user_secrets.expires_at is 'When the access token expires; null if it does not expire.';
comment on column public.user_secrets.created_at is 'When the user connected the provider.';
comment on column public.user_secrets.updated_at is 'When the row last changed; set by trigger.';

create index user_secrets_expires_at_id_expiring_idx on public.user_secrets (expires_at, id)
  where expires_at is not null;
comment on index public.user_secrets_expires_at_id_expiring_idx is 'Serves user_secrets.listExpiring of ./secrets: connections that expire before a time, page by page.';

create index user_secrets_sealing_key_id_idx on public.user_secrets
  (split_part(encrypted_token::text, '.', 3), id);
comment on index public.user_secrets_sealing_key_id_idx is
  'Serves make key-usage and make rotate-keys: counts and lists the tokens that a key sealed.';

create trigger _100_touch_updated_at before update on public.user_secrets
  for each row execute function private.tg__touch_updated_at();

revoke all on public.user_secrets from public, anon, authenticated, service_role;
grant select (id, user_id, provider, expires_at, created_at, updated_at), delete on public.user_secrets to authenticated;
grant select, insert, update, delete on public.user_secrets to service_role;

alter table public.user_secrets enable row level security;
alter table public.user_secrets force row level security;

create policy select_own on public.user_secrets for select to authenticated using (user_id = (select auth.uid()));
create policy delete_own on public.user_secrets for delete to authenticated using (user_id = (select auth.uid()));
create policy all_service on public.user_secrets for all to service_role using (true) with check (true);

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.user_secrets');
drop table public.user_secrets;
