-- Contract: every old request is proven to have its app, while writers go on.
-- Locks: SHARE UPDATE EXCLUSIVE on generation_requests, ROW SHARE on apps, one scan. Undo: nothing to undo.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests validate constraint generation_requests_user_id_app_id_fkey;

-- migrate:down
select 'validated constraints stay validated';
