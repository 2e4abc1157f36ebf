-- Contract: the unique index on (user_id, id) becomes a constraint, so that the children's foreign keys can name it.
-- Locks: ACCESS EXCLUSIVE on generation_requests for an instant; the index is there already. Undo: the index is built
-- anew without its constraint, under ACCESS EXCLUSIVE (seconds per million rows): the migration that made it drops it
-- by name.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests
  add constraint generation_requests_user_id_id_key unique using index generation_requests_user_id_id_key;

comment on index public.generation_requests_user_id_id_key is
  'Target of the children''s foreign keys; one user''s generations in order.';
comment on index public.generation_requests_user_id_app_id_id_idx is
  'Serves the foreign key to apps, and an app''s generations in order.';
comment on index public.generation_requests_user_id_idempotency_key_key is
  'One generation per user and idempotency key.';
comment on index public.generation_requests_priority_queue_at_id_queued_idx is
  'Serves the claim: what a worker takes next.';
comment on index public.generation_requests_user_id_queue_at_queued_idx is
  'Serves the limit on queued generations per user.';

-- migrate:down
set local lock_timeout = '3s';

alter table public.generation_requests drop constraint generation_requests_user_id_id_key;
create unique index generation_requests_user_id_id_key on public.generation_requests (user_id, id);
