-- Which key sealed how many tokens, and which rows they are: what is left to do before a key is retired.
-- split_part() is what keyIdOf() of ./secrets does. The id after it, so that a page of the rows that one key sealed is
-- read in order, and a re-wrapped row, which has left that range, is never met again.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently user_secrets_sealing_key_id_idx on public.user_secrets
  (split_part(encrypted_token::text, '.', 3), id);

-- migrate:down transaction:false
drop index concurrently if exists public.user_secrets_sealing_key_id_idx;
