-- Creates the claim: a worker gets generations by priority, then by position in the queue. A claim updates the generation,
-- which raises its attempt, and inserts the lease, in one short transaction; it skips what other claims have locked.
-- Functions of the queue lock a generation before its lease, as a cascading deletion does. They are SECURITY INVOKER, so
-- that the timeline shows the worker as the writer.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create type private.claimed_generation as (
  id integer,
  attempt integer,
  lease_expires_at timestamptz,
  user_id uuid,
  app_id uuid,
  app_name text,
  prompt text,
  initial_prompt text,
  generation_type public.generation_type,
  mode public.generation_mode,
  max_iterations integer,
  current_iteration integer,
  last_session_id text,
  github_url text,
  failure_count smallint
);

comment on type private.claimed_generation is 'What a worker needs of a generation that it has claimed.';

-- Plans must not depend on the statistics of a queue that fills and empties in minutes: the settings leave the index as the
-- only way to the order, planned once per connection.
create function private.lock_generations(p_limit integer)
returns integer[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_sort = off
set jit = off
as $$
begin
  return array(
    select r.id
    from public.generation_requests as r
    where r.status = 'queued' and (r.available_at is null or r.available_at <= now())
    order by r.priority desc, r.queue_at, r.id
    limit p_limit
    for no key update skip locked
  );
end
$$;

comment on function private.lock_generations(integer) is
  'Locks the next generations, skips locked ones, and returns the ids in order.';

-- The limit is strict: a claim holds the user's advisory lock until commit, and counts the running generations in a
-- statement that begins after the lock was granted, so it sees what the previous holder committed; in one statement both
-- would count with the same snapshot. A concurrent claim without a limit is not held back.
-- The head of the queue is read first; if that is not enough, the users at their limit are excluded, so that a head full of
-- their generations costs one scan. Leases, which are few, are read in subqueries, which no plan turns into a scan of all
-- generations.
create function private.lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[])
returns integer[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_sort = off
set jit = off
as $$
declare
  v_rows integer;
  v_seen integer;
  v_candidate record;
  v_ids integer[] := '{}';
  v_users uuid[] := '{}';
  -- Users without a (further) generation in this claim.
  v_skipped uuid[] := '{}';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'LEO11',
      message = 'a claim with a limit per user counts in READ COMMITTED transactions only';
  end if;

  foreach v_rows in array array[50, 1000] loop
    v_seen := 0;
    for v_candidate in
      select r.id, r.user_id
      from public.generation_requests as r
      where r.status = 'queued' and (r.available_at is null or r.available_at <= now()) and r.user_id <> all (v_skipped)
      order by r.priority desc, r.queue_at, r.id
      limit v_rows
    loop
      v_seen := v_seen + 1;
      continue when v_candidate.id = any (v_ids) or v_candidate.user_id = any (v_skipped);

      -- A concurrent claim has the user's lock, or the user is at the limit.
      if not pg_try_advisory_xact_lock(hashtextextended('generation_requests.claim:' || v_candidate.user_id, 0))
        or cardinality(array_positions(v_users, v_candidate.user_id)) + (
          select count(*)
          from private.generation_leases as l
          where l.user_id = v_candidate.user_id and l.generation_request_id <> all (p_ending) and (
            select r.status = 'generating' and r.attempt = l.attempt
            from public.generation_requests as r
            where r.id = l.generation_request_id
          )
        ) >= p_user_limit
      then
        v_skipped := v_skipped || v_candidate.user_id;
        continue;
      end if;

      perform
      from public.generation_requests as r
      where r.id = v_candidate.id and r.status = 'queued' and (r.available_at is null or r.available_at <= now())
      for no key update skip locked;
      if found then
        v_ids := v_ids || v_candidate.id;
        v_users := v_users || v_candidate.user_id;
        if cardinality(v_ids) = p_limit then
          return v_ids;
        end if;
      end if;
    end loop;

    exit when v_seen < v_rows;
    v_skipped := v_skipped || array(
      select l.user_id
      from private.generation_leases as l
      where l.generation_request_id <> all (p_ending) and (
        select r.status = 'generating' and r.attempt = l.attempt
        from public.generation_requests as r
        where r.id = l.generation_request_id
      )
      group by l.user_id
      having count(*) >= p_user_limit
    );
  end loop;

  return v_ids;
end
$$;

comment on function private.lock_generations_within_limit(integer, integer, integer[]) is
  'Locks the next generations within the limit per user, which does not count p_ending, and returns the ids in order. Raises LEO11.';

-- One statement for both saves the cost of a second one, its checks and its triggers; a claim alone is the same with
-- nothing to complete. Completed rows are locked first, in the order of their ids, so that two calls with the same ids do
-- not deadlock.
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
-- By the primary key: the statistics of a queue that fills and empties are not reliable.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_done integer[] := '{}';
  v_claimed integer[] := '{}';
begin
  if (p_limit between 1 and 100 and p_lease between '1 second' and '1 day') is not true then
    raise exception using
      errcode = 'LEO16',
      message = 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day';
  end if;

  if cardinality(p_ids) > 0 then
    v_done := array(
      select r.id
      from unnest(p_ids, p_attempts) as d (id, attempt)
      join public.generation_requests as r on r.id = d.id and r.attempt = d.attempt and r.status = 'generating'
      order by r.id
      for no key update of r
    );
  end if;

  if not exists (select from private.queues as q where q.name = 'generations' and q.paused_at is not null) then
    if p_user_limit is null then
      v_claimed := private.lock_generations(p_limit);
    else
      v_claimed := private.lock_generations_within_limit(p_limit, p_user_limit, v_done);
    end if;
  end if;

  return query
    with step as (
      select d.id, null::bigint as place, d.github_commit, d.github_url, d.deployment_url
      from unnest(p_ids, p_github_commits, p_github_urls, p_deployment_urls)
        as d (id, github_commit, github_url, deployment_url)
      where d.id = any (v_done)
      union all
      select t.id, t.place, null, null, null
      from unnest(v_claimed) with ordinality as t (id, place)
    ), changed as (
      update public.generation_requests as r
      set
        status = case when s.place is null then 'completed'::public.generation_status else 'generating' end,
        github_commit = coalesce(s.github_commit, r.github_commit),
        github_url = coalesce(s.github_url, r.github_url),
        deployment_url = coalesce(s.deployment_url, r.deployment_url),
        error_message = case when s.place is not null then r.error_message end
      from step as s
      where r.id = s.id
      returning r.*, s.place
    ), ended as (
      delete from private.generation_leases as l
      using changed as c
      where c.place is null and l.user_id = c.user_id and l.generation_request_id = c.id
    ), begun as (
      -- An existing lease is of an earlier attempt, which its user paused or an operator ended.
      insert into private.generation_leases as l (user_id, generation_request_id, attempt, worker, expires_at)
      select c.user_id, c.id, c.attempt, p_worker, now() + p_lease
      from changed as c
      where c.place is not null
      on conflict (user_id, generation_request_id) do update
        set attempt = excluded.attempt, worker = excluded.worker, expires_at = excluded.expires_at
    )
    select
      case when c.place is null then c.id end,
      case when c.place is not null then row(
        c.id, c.attempt, now() + p_lease, c.user_id, c.app_id, c.app_name, c.prompt, c.initial_prompt, c.generation_type,
        c.mode, c.max_iterations, c.current_iteration, c.last_session_id, c.github_url, c.failure_count
      )::private.claimed_generation end
    from changed as c
    order by c.place nulls first;
end
$$;

comment on function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
) is
  'Completes the generations in the arrays as complete_generation does, and claims as claim_generations does. Returns a row for each that was completed, then a row for each that was claimed.';

create function private.claim_generations(
  p_worker text, p_limit integer, p_lease interval, p_user_limit integer default null
)
returns setof private.claimed_generation
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
    select (s.claimed).*
    from private.complete_and_claim_generations(p_worker, '{}', '{}', '{}', '{}', '{}', p_limit, p_lease, p_user_limit) as s;
end
$$;

comment on function private.claim_generations(text, integer, interval, integer) is
  'Claims available generations, highest priority and earliest position first, at most p_user_limit running ones per user, for the time of the lease. No rows: none is available, or claims are paused. Raises LEO11, LEO16, and generation_leases_worker_printable_check for a worker without a name.';

grant execute on function private.lock_generations(integer) to leo_worker;
grant execute on function private.lock_generations_within_limit(integer, integer, integer[]) to leo_worker;
grant execute on function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
) to leo_worker;
grant execute on function private.claim_generations(text, integer, interval, integer) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.claim_generations(text, integer, interval, integer);
drop function private.complete_and_claim_generations(
  text, integer[], integer[], text[], text[], text[], integer, interval, integer
);
drop function private.lock_generations_within_limit(integer, integer, integer[]);
drop function private.lock_generations(integer);
drop type private.claimed_generation;
