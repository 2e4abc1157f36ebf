-- What the index of the file before is for; there it had to be alone.
-- Locks: SHARE UPDATE EXCLUSIVE on the index for an instant. Undo: takes the comment away.

-- migrate:up
set local lock_timeout = '3s';

comment on index public.user_secrets_expires_at_id_expiring_idx is 'Serves user_secrets.listExpiring of ./secrets: what expires before a time, page by page.';

-- migrate:down
set local lock_timeout = '3s';

comment on index public.user_secrets_expires_at_id_expiring_idx is null;
