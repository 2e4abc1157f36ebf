-- Creates the leases of token refreshes, so that concurrent callers send one request to the provider. A separate table,
-- because a refresh writes it twice, and user_secrets is what backups, key rotation and people read.
-- Deliberately absent: an index on expires_at, because no query searches by it.
-- Locks: SHARE ROW EXCLUSIVE on user_secrets, briefly. Undo: drops the table, under ACCESS EXCLUSIVE on user_secrets; who
-- is refreshing and what was rejected is lost.

-- migrate:up
set local lock_timeout = '3s';

-- The lease keeps other callers away, and is not a fence: a caller with a new token stores it if the token that it was
-- derived from is still stored, with or without the lease. A slow holder would otherwise lose a token that the provider
-- issues once. A token is identified by a digest of its ciphertext, which a re-wrap does not change; a rejection is of one
-- token. Releasing the lease keeps the row; deleting the connection deletes it.
create table private.secret_refreshes (
  user_id uuid not null,
  provider text not null,
  holder uuid,
  expires_at timestamptz,
  rejected_digest bytea,
  constraint secret_refreshes_pkey primary key (user_id, provider),
  constraint secret_refreshes_user_id_provider_fkey foreign key (user_id, provider)
    references public.user_secrets (user_id, provider) on delete cascade,
  constraint secret_refreshes_holder_until_an_end_check check ((holder is null) = (expires_at is null)),
  constraint secret_refreshes_rejected_digest_is_sha256_check check (octet_length(rejected_digest) = 32)
) with (fillfactor = 50);

comment on table private.secret_refreshes is 'One row per connection that was ever refreshed: who is refreshing it, and which token was rejected.';
comment on column private.secret_refreshes.user_id is 'The owner of the connection.';
comment on column private.secret_refreshes.provider is 'The provider of the connection.';
comment on column private.secret_refreshes.holder is 'Identifies the attempt that is refreshing. Null: no attempt is.';
comment on column private.secret_refreshes.expires_at is 'When another attempt may begin. Null: no attempt is refreshing.';
comment on column private.secret_refreshes.rejected_digest is 'SHA-256 of the ciphertext of the token that the provider rejected; does not apply to another token. Null: none was rejected.';

revoke all on private.secret_refreshes from public, anon, authenticated, service_role;
grant select, insert, update, delete on private.secret_refreshes to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop table private.secret_refreshes;
