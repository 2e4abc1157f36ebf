-- Who is refreshing a connection's token, so that many who need it at once ask its provider once. A row of its own: it
-- is written twice a refresh, and user_secrets is what backups, rotation and people look at.
-- The lease keeps others away while it lasts, and is no fence: whoever has a new token saves it if the old one that it
-- came from is still there, lease or not. Otherwise a holder that was slow would lose what the provider gives only
-- once. A token is known by a digest of its ciphertext, which a re-wrap leaves as it is; a refusal is of one token, and
-- is void once there is another one.
-- The row stays when the lease is given back, and goes with the connection. No index on expires_at: nobody looks for
-- it. Locks: SHARE ROW EXCLUSIVE on user_secrets for an instant. Undo: drops the table; that locks user_secrets too,
-- ACCESS EXCLUSIVE, for an instant. Who was refreshing is forgotten, and what was refused is asked for once more.

-- migrate:up
set local lock_timeout = '3s';

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

comment on table private.secret_refreshes is 'One row per connection that was ever refreshed: by whom it is being refreshed now, and which token was refused.';
comment on column private.secret_refreshes.user_id is 'The owner of the connection.';
comment on column private.secret_refreshes.provider is 'The provider of the connection.';
comment on column private.secret_refreshes.holder is 'Who is refreshing: a number of that one attempt. Null: nobody is.';
comment on column private.secret_refreshes.expires_at is 'From then on another may refresh. Null: nobody is refreshing.';
comment on column private.secret_refreshes.rejected_digest is 'The token that the provider will not refresh, as SHA-256 of its ciphertext; says nothing about another one. Null: none was refused.';

revoke all on private.secret_refreshes from public, anon, authenticated, service_role;
grant select, insert, update, delete on private.secret_refreshes to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop table private.secret_refreshes;
