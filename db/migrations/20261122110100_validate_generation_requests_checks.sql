-- Contract: the old rows are held to the checks too, while readers and writers go on. Apart from the file that adds
-- them: in one transaction its lock would last as long as this scan.
-- Locks: SHARE UPDATE EXCLUSIVE, one scan for all of them, since they are in one statement. Undo: a constraint cannot be un-validated; nothing to undo.

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
  validate constraint generation_requests_idempotency_key_form_check;

-- migrate:down
select 'validated constraints stay validated';
