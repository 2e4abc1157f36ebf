-- Which key sealed how many settings, and which rows they are. Partial: a plain value has no key.
-- split_part() is what keyIdOf() of ./secrets does. The id after it, so that a page of the rows that one key sealed is
-- read in order, and a re-wrapped row, which has left that range, is never met again.
-- Locks: SHARE UPDATE EXCLUSIVE while it builds, writers go on; alone in its file, for it runs outside a transaction.
-- Undo: drops the index; `if exists`, because a run killed right after it has not recorded that.

-- migrate:up transaction:false
create index concurrently deployment_config_sealing_key_key_encrypted_idx on public.deployment_config
  (split_part(value, '.', 3), key)
  where encrypted;

-- migrate:down transaction:false
drop index concurrently if exists public.deployment_config_sealing_key_key_encrypted_idx;
