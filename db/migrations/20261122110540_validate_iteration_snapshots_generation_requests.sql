-- Contract: every old snapshot is proven to have its generation, while writers go on.
-- Locks: SHARE UPDATE EXCLUSIVE on iteration_snapshots, ROW SHARE on generation_requests, one scan. Undo: nothing to undo.

-- migrate:up
set local lock_timeout = '3s';

alter table public.iteration_snapshots validate constraint iteration_snapshots_user_id_generation_request_id_fkey;

-- migrate:down
select 'validated constraints stay validated';
