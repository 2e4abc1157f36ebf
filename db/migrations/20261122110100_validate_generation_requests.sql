-- Contract: validates the checks and the foreign key while reads and writes continue. A separate file: in the transaction
-- that adds them their lock would last as long as the scan.
-- Locks: SHARE UPDATE EXCLUSIVE on generation_requests, ROW SHARE on apps; one scan for all checks, one join for the key.
-- Undo: keeps the constraints validated.

-- migrate:up
set local lock_timeout = '3s';

alter table public.generation_requests
  validate constraint generation_requests_required_values_check,
  validate constraint generation_requests_app_name_not_blank_check,
  validate constraint generation_requests_max_iterations_positive_check,
  validate constraint generation_requests_current_iteration_within_limit_check,
  validate constraint generation_requests_completed_at_set_when_finished_check,
  validate constraint generation_requests_completed_at_not_before_created_at_check,
  validate constraint generation_requests_github_url_is_https_check,
  validate constraint generation_requests_deployment_url_is_https_check,
  validate constraint generation_requests_github_commit_is_sha_check,
  validate constraint generation_requests_attempt_not_negative_check,
  validate constraint generation_requests_retry_count_not_negative_check,
  validate constraint generation_requests_failure_count_not_negative_check,
  validate constraint generation_requests_idempotency_key_form_check,
  validate constraint generation_requests_user_id_app_id_fkey;

-- migrate:down
select 'validated constraints stay validated';
