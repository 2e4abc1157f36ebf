-- What the indexes of the three files before are for; there they had to be alone.
-- Locks: SHARE UPDATE EXCLUSIVE on the indexes for an instant. Undo: takes the comments away.

-- migrate:up
set local lock_timeout = '3s';

comment on index public.user_secrets_sealing_key_id_idx is
  'Serves make key-usage and make rotate-keys: how many tokens a key sealed, and which, page by page.';
comment on index public.deployment_config_sealing_key_key_encrypted_idx is
  'Serves make key-usage and make rotate-keys: how many settings a key sealed, and which, page by page.';
comment on index public.cleanup_outbox_sealing_key_id_sealed_idx is
  'Serves make key-usage and make rotate-keys: how many tokens to be revoked a key sealed, and which, page by page.';

-- migrate:down
set local lock_timeout = '3s';

comment on index public.cleanup_outbox_sealing_key_id_sealed_idx is null;
comment on index public.deployment_config_sealing_key_key_encrypted_idx is null;
comment on index public.user_secrets_sealing_key_id_idx is null;
