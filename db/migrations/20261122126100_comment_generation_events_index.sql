-- What the index of the file before is for; there it had to be alone.
-- Locks: SHARE UPDATE EXCLUSIVE on the index for an instant. Undo: takes the comment away.

-- migrate:up
set local lock_timeout = '3s';

comment on index public.generation_events_user_id_id_idx is 'Serves events.list: one user''s newest events, page by page.';

-- migrate:down
set local lock_timeout = '3s';

comment on index public.generation_events_user_id_id_idx is null;
