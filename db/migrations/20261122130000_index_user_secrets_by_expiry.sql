-- What expires next, for the service that refreshes tokens before users have to wait for it. Connections that never
-- expire stay out of it.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently user_secrets_expires_at_id_expiring_idx on public.user_secrets (expires_at, id)
  where expires_at is not null;

-- migrate:down transaction:false
drop index concurrently if exists public.user_secrets_expires_at_id_expiring_idx;
