-- Expand: the commit that a generation ended in. Nullable and without a default, so old writers never notice.
-- Locks: ACCESS EXCLUSIVE for an instant, no rewrite. Undo: drops the column while it is empty.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests add column github_commit text;
comment on column public.generation_requests.github_commit is 'Commit SHA that this generation ended in; null until there is one.';

-- migrate:down
set local lock_timeout = '3s';

select private.assert_no_rows('public.generation_requests', 'github_commit is not null');
alter table public.generation_requests drop column github_commit;
