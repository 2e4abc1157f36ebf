-- The step of a worker that goes on: what it has done and what it does next are one transaction, one trip, and one wait for
-- the disk. Completing several is a convenience: each is judged by itself.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

create function private.complete_and_claim_generations(
  p_worker text,
  p_ids integer[],
  p_attempts integer[],
  p_github_commits text[],
  p_github_urls text[],
  p_deployment_urls text[],
  p_limit integer,
  p_lease interval,
  p_user_limit integer default null
)
returns table (completed_id integer, claimed private.claimed_generation)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_done record;
begin
  -- In one order, or two that complete the same ones wait for each other.
  for v_done in
    select d.id, d.attempt, d.github_commit, d.github_url, d.deployment_url
    from unnest(p_ids, p_attempts, p_github_commits, p_github_urls, p_deployment_urls)
      as d (id, attempt, github_commit, github_url, deployment_url)
    order by d.id
  loop
    if private.complete_generation(
      v_done.id, v_done.attempt, v_done.github_commit, v_done.github_url, v_done.deployment_url
    ) then
      completed_id := v_done.id;
      return next;
    end if;
  end loop;

  completed_id := null;
  for claimed in select * from private.claim_generations(p_worker, p_limit, p_lease, p_user_limit) loop
    return next;
  end loop;
end
$$;

comment on function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
) is
  'complete_generation for each of the arrays'' elements, then claim_generations: one row for each that this worker still had, then one for each that it takes.';

grant execute on function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
);
