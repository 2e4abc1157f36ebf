-- Contract: what holds for every generation. NOT VALID first, so that the lock lasts an instant: new and changed rows
-- are held to it from now on, the old ones when the next file validates them.
-- Deliberately absent: a rule on prompt or error_message, which are people's and programs' words as they came.
-- Locks: ACCESS EXCLUSIVE for an instant, no scan. Undo: drops the constraints.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests
  -- One constraint for all: `set not null` then finds it proven and does not scan.
  add constraint generation_requests_required_values_check check (
    user_id is not null and app_id is not null and app_name is not null and prompt is not null and status is not null
    and generation_type is not null and mode is not null and max_iterations is not null and current_iteration is not null
    and created_at is not null and updated_at is not null
  ) not valid,
  add constraint generation_requests_app_name_not_blank_check check (
    app_name collate "C" ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]'
  ) not valid,
  add constraint generation_requests_max_iterations_positive_check check (max_iterations > 0) not valid,
  add constraint generation_requests_current_iteration_within_limit_check check (
    current_iteration between 0 and max_iterations
  ) not valid,
  add constraint generation_requests_completed_at_set_when_finished_check check (
    (completed_at is not null) = (status in ('completed', 'failed', 'cancelled'))
  ) not valid,
  add constraint generation_requests_completed_at_not_before_created_at_check check (completed_at >= created_at) not valid,
  add constraint generation_requests_github_url_is_https_check check (github_url collate "C" ~ '^https://[!-~]+$') not valid,
  add constraint generation_requests_deployment_url_is_https_check check (
    deployment_url collate "C" ~ '^https://[!-~]+$'
  ) not valid,
  -- SHA-1, or SHA-256 in repositories that use it; always in full.
  add constraint generation_requests_github_commit_is_sha_check check (
    github_commit collate "C" ~ '^[0-9a-f]+$' and char_length(github_commit) in (40, 64)
  ) not valid,
  add constraint generation_requests_attempt_not_negative_check check (attempt >= 0) not valid,
  add constraint generation_requests_retry_count_not_negative_check check (retry_count >= 0) not valid,
  add constraint generation_requests_idempotency_key_form_check check (
    idempotency_key collate "C" ~ '^[!-~]+$' and char_length(idempotency_key) <= 200
  ) not valid;

-- migrate:down
set local lock_timeout = '3s';

alter table public.generation_requests
  drop constraint generation_requests_required_values_check,
  drop constraint generation_requests_app_name_not_blank_check,
  drop constraint generation_requests_max_iterations_positive_check,
  drop constraint generation_requests_current_iteration_within_limit_check,
  drop constraint generation_requests_completed_at_set_when_finished_check,
  drop constraint generation_requests_completed_at_not_before_created_at_check,
  drop constraint generation_requests_github_url_is_https_check,
  drop constraint generation_requests_deployment_url_is_https_check,
  drop constraint generation_requests_github_commit_is_sha_check,
  drop constraint generation_requests_attempt_not_negative_check,
  drop constraint generation_requests_retry_count_not_negative_check,
  drop constraint generation_requests_idempotency_key_form_check;
