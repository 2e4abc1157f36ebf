-- Contract: adds the rules of every generation: the checks, the unique key that the children's foreign keys refer to, and
-- the foreign key to apps, which has the owner in it: a request cannot refer to another user's app, whichever role writes it.
-- NOT VALID: new and changed rows are checked from now on, the existing ones when the next file validates them. The unique
-- key takes over the index that exists.
-- Deliberately absent: rules for prompt and error_message.
-- apps is locked first: that is the order in which writers lock the two, and the reverse can deadlock with them. It stays
-- locked while this waits for generation_requests, so the time limit is one second.
-- Locks: SHARE ROW EXCLUSIVE on apps, then ACCESS EXCLUSIVE on generation_requests, briefly, no scan.
-- Undo: drops them, under ACCESS EXCLUSIVE on both, and builds the unique index again (seconds per million rows).

-- migrate:up
set local lock_timeout = '1s';

lock table public.apps in share row exclusive mode;
alter table public.generation_requests
  -- One constraint for all columns: it proves `set not null`, which then does not scan.
  add constraint generation_requests_required_values_check check (
    user_id is not null and app_id is not null and app_name is not null and prompt is not null and status is not null
    and generation_type is not null and mode is not null and max_iterations is not null and current_iteration is not null
    and created_at is not null and updated_at is not null
  ) not valid,
  add constraint generation_requests_app_name_not_blank_check check (private.has_visible_character(app_name)) not valid,
  add constraint generation_requests_max_iterations_positive_check check (max_iterations > 0) not valid,
  add constraint generation_requests_current_iteration_within_limit_check check (
    current_iteration between 0 and max_iterations
  ) not valid,
  add constraint generation_requests_completed_at_set_when_finished_check check (
    (completed_at is not null) = (status in ('completed', 'failed', 'cancelled'))
  ) not valid,
  add constraint generation_requests_completed_at_not_before_created_at_check check (completed_at >= created_at) not valid,
  add constraint generation_requests_github_url_is_https_check check (private.is_https_url(github_url)) not valid,
  add constraint generation_requests_deployment_url_is_https_check check (private.is_https_url(deployment_url)) not valid,
  -- A complete SHA-1, or SHA-256 in repositories that use it.
  add constraint generation_requests_github_commit_is_sha_check check (
    github_commit collate "C" ~ '^[0-9a-f]+$' and char_length(github_commit) in (40, 64)
  ) not valid,
  add constraint generation_requests_attempt_not_negative_check check (attempt >= 0) not valid,
  add constraint generation_requests_retry_count_not_negative_check check (retry_count >= 0) not valid,
  add constraint generation_requests_failure_count_not_negative_check check (failure_count >= 0) not valid,
  add constraint generation_requests_idempotency_key_form_check check (
    idempotency_key collate "C" ~ '^[!-~]+$' and char_length(idempotency_key) <= 200
  ) not valid,
  add constraint generation_requests_user_id_id_key unique using index generation_requests_user_id_id_key,
  add constraint generation_requests_user_id_app_id_fkey foreign key (user_id, app_id)
    references public.apps (user_id, id) on delete cascade not valid;

comment on index public.generation_requests_user_id_id_key is
  'Target of the children''s foreign keys; finds a user''s generations in order.';
comment on index public.generation_requests_user_id_app_id_id_idx is
  'Serves the foreign key to apps, and finds an app''s generations in order.';
comment on index public.generation_requests_user_id_idempotency_key_key is
  'One generation per user and idempotency key.';
comment on index public.generation_requests_priority_queue_at_id_queued_idx is
  'Serves the claim: the generations in the order in which they are claimed.';
comment on index public.generation_requests_user_id_queue_at_queued_idx is
  'Serves the limit of queued generations per user, and the position of the next one.';

-- migrate:down
set local lock_timeout = '1s';

lock table public.apps in access exclusive mode;
comment on index public.generation_requests_user_id_queue_at_queued_idx is null;
comment on index public.generation_requests_priority_queue_at_id_queued_idx is null;
comment on index public.generation_requests_user_id_idempotency_key_key is null;
comment on index public.generation_requests_user_id_app_id_id_idx is null;
alter table public.generation_requests
  drop constraint generation_requests_user_id_app_id_fkey,
  drop constraint generation_requests_user_id_id_key,
  drop constraint generation_requests_idempotency_key_form_check,
  drop constraint generation_requests_failure_count_not_negative_check,
  drop constraint generation_requests_retry_count_not_negative_check,
  drop constraint generation_requests_attempt_not_negative_check,
  drop constraint generation_requests_github_commit_is_sha_check,
  drop constraint generation_requests_deployment_url_is_https_check,
  drop constraint generation_requests_github_url_is_https_check,
  drop constraint generation_requests_completed_at_not_before_created_at_check,
  drop constraint generation_requests_completed_at_set_when_finished_check,
  drop constraint generation_requests_current_iteration_within_limit_check,
  drop constraint generation_requests_max_iterations_positive_check,
  drop constraint generation_requests_app_name_not_blank_check,
  drop constraint generation_requests_required_values_check;
create unique index generation_requests_user_id_id_key on public.generation_requests (user_id, id);
