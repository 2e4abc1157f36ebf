-- Contract: apps 1:N generation_requests. The owner is part of the key, so a request of one user cannot point at
-- another's app, whoever writes it, service_role included.
-- The parent is locked first: that is the order in which writers touch the two, and the other one deadlocks with them.
-- Locks: SHARE ROW EXCLUSIVE on apps, then on generation_requests, for an instant; no scan (NOT VALID). Undo: drops the
-- key, under ACCESS EXCLUSIVE on both, in the same order.

-- migrate:up
set local lock_timeout = '3s';

lock table public.apps in share row exclusive mode;
alter table public.generation_requests
  add constraint generation_requests_user_id_app_id_fkey foreign key (user_id, app_id)
    references public.apps (user_id, id) on delete cascade not valid;

-- migrate:down
set local lock_timeout = '3s';

lock table public.apps in access exclusive mode;
alter table public.generation_requests drop constraint generation_requests_user_id_app_id_fkey;
