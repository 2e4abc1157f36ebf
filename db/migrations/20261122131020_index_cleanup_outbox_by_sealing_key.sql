-- Which key sealed how many tokens that are still to be revoked: a key that is retired before that would strand them.
-- split_part() is what keyIdOf() of ./secrets does. The id after it, so that a page of the rows that one key sealed is
-- read in order, and a re-wrapped row, which has left that range, is never met again.
-- Deleting a secret never fails for the length of its key, which the index of user_secrets has taken before.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently cleanup_outbox_sealing_key_id_sealed_idx on public.cleanup_outbox
  (split_part(sealed_token::text, '.', 3), id)
  where sealed_token is not null;

-- migrate:down transaction:false
drop index concurrently if exists public.cleanup_outbox_sealing_key_id_sealed_idx;
