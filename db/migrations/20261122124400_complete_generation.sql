-- Creates the completion of a generation. Every write of a worker names its attempt, and the condition is on the
-- generation's own row, whose newest version an update reads after waiting for a lock; a join to the lease would use an
-- old snapshot. A worker that has lost the generation, to another worker or to its user, gets false, as does a second call.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

create function private.complete_generation(
  p_id integer,
  p_attempt integer,
  p_github_commit text default null,
  p_github_url text default null,
  p_deployment_url text default null
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_user_id uuid;
begin
  update public.generation_requests as r
  set
    status = 'completed',
    github_commit = coalesce(p_github_commit, r.github_commit),
    github_url = coalesce(p_github_url, r.github_url),
    deployment_url = coalesce(p_deployment_url, r.deployment_url),
    error_message = null
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  returning r.user_id into v_user_id;

  if not found then
    return false;
  end if;

  delete from private.generation_leases as l where l.user_id = v_user_id and l.generation_request_id = p_id;
  return true;
end
$$;

comment on function private.complete_generation(integer, integer, text, text, text) is
  'Completes the generation; a null argument keeps the column. False, without a change: this attempt has lost the generation.';

grant execute on function private.complete_generation(integer, integer, text, text, text) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.complete_generation(integer, integer, text, text, text);
