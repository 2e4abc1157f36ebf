-- Contract: apps 1:N generation_requests. The owner is part of the key, so a request of one user cannot point at
-- another's app, whoever writes it, service_role included. The unique index becomes the target for the children.
-- Locks: SHARE ROW EXCLUSIVE on both tables for an instant, no scan (NOT VALID). Undo: drops the key; the index is
-- built anew without its constraint.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests
  add constraint generation_requests_user_id_id_key unique using index generation_requests_user_id_id_key,
  add constraint generation_requests_user_id_app_id_fkey foreign key (user_id, app_id)
    references public.apps (user_id, id) on delete cascade not valid;

comment on index public.generation_requests_user_id_id_key is
  'Target of the children''s foreign keys; serves generations.list.';
comment on index public.generation_requests_user_id_app_id_id_idx is
  'Serves the foreign key to apps, and an app''s generations in order.';
comment on index public.generation_requests_user_id_idempotency_key_key is
  'One generation per user and idempotency key.';
comment on index public.generation_requests_priority_queue_at_id_queued_idx is
  'Serves generations.claim: what a worker takes next.';
comment on index public.generation_requests_user_id_queue_at_queued_idx is
  'Serves the limit on queued generations per user.';

-- migrate:down
set local lock_timeout = '3s';

alter table public.generation_requests
  drop constraint generation_requests_user_id_app_id_fkey,
  drop constraint generation_requests_user_id_id_key;
-- The migration that built the index drops it by name.
create unique index generation_requests_user_id_id_key on public.generation_requests (user_id, id);
