-- The step of a worker that goes on: what it has done and what it does next are one transaction, one trip, and one wait for
-- the disk. Several are completed by one statement, which spares most of what each costs
-- alone; each is judged by itself.
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
set plan_cache_mode = force_generic_plan
-- By the primary key, whatever the statistics of a queue that fills and empties say.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  -- In one order, or two that complete the same ones wait for each other.
  if cardinality(p_ids) > 1 then
    perform
    from unnest(p_ids, p_attempts) as d (id, attempt)
    join public.generation_requests as r on r.id = d.id and r.attempt = d.attempt and r.status = 'generating'
    order by r.id
    for no key update of r;
  end if;

  for completed_id in
    with completed as (
      update public.generation_requests as r
      set
        status = 'completed',
        github_commit = coalesce(d.github_commit, r.github_commit),
        github_url = coalesce(d.github_url, r.github_url),
        deployment_url = coalesce(d.deployment_url, r.deployment_url),
        error_message = null
      from unnest(p_ids, p_attempts, p_github_commits, p_github_urls, p_deployment_urls)
        as d (id, attempt, github_commit, github_url, deployment_url)
      where r.id = d.id and r.attempt = d.attempt and r.status = 'generating'
      returning r.id, r.user_id
    ), ended as (
      delete from private.generation_leases as l
      using completed as c
      where l.user_id = c.user_id and l.generation_request_id = c.id
    )
    select c.id from completed as c
  loop
    return next;
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
  'What complete_generation does, for each of the arrays'' elements, then claim_generations: one row for each that this worker still had, then one for each that it takes.';

grant execute on function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
);
