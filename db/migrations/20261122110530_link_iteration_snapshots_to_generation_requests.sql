-- Contract: generation_requests 1:N iteration_snapshots, of one owner: the user is part of the key.
-- The parent is locked first: a worker updates its request and then writes the snapshot, and the other order deadlocks
-- with it.
-- Locks: SHARE ROW EXCLUSIVE on generation_requests, then on iteration_snapshots, for an instant; no scan (NOT VALID).
-- Undo: drops the key, under ACCESS EXCLUSIVE on both, in the same order.

-- migrate:up
set local lock_timeout = '3s';

lock table public.generation_requests in share row exclusive mode;
alter table public.iteration_snapshots
  add constraint iteration_snapshots_user_id_generation_request_id_fkey foreign key (user_id, generation_request_id)
    references public.generation_requests (user_id, id) on delete cascade not valid;

-- migrate:down
set local lock_timeout = '3s';

lock table public.generation_requests in access exclusive mode;
alter table public.iteration_snapshots drop constraint iteration_snapshots_user_id_generation_request_id_fkey;
