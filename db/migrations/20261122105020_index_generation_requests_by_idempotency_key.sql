-- Contract: one generation per user and idempotency key. Partial, because most rows have none.
-- Locks: SHARE UPDATE EXCLUSIVE during the build, writes continue; outside a transaction, so alone in its file.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded the rollback.

-- migrate:up transaction:false
create unique index concurrently generation_requests_user_id_idempotency_key_key on public.generation_requests (user_id, idempotency_key)
  where idempotency_key is not null;

-- migrate:down transaction:false
drop index concurrently if exists public.generation_requests_user_id_idempotency_key_key;
