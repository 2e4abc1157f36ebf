-- The counts that are there are looked at too, while readers and writers go on.
-- Locks: SHARE UPDATE EXCLUSIVE, one scan. Undo: nothing to undo.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests validate constraint generation_requests_failure_count_not_negative_check;

-- migrate:down
select 'validated constraints stay validated';
