-- The step of a worker writes all its rows by one statement: those that it completes and those that it takes. Each
-- statement has its own price, the checks and the triggers made ready for it and the timeline's insert, and a worker
-- that goes one by one paid it twice a generation. A claim alone is the same step with nothing to complete.
-- What is completed is locked first and in one order, so that two that complete the same ones do not wait for each
-- other in a circle; what is taken is only locked where nobody waits. The limit per user no longer counts what this
-- step ends.
-- Locks: none. Undo: puts the two statements back.

-- migrate:up
set local lock_timeout = '3s';

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
  -- Who gets nothing (more) out of this claim.
  v_passed uuid[] := '{}';
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
      where r.status = 'queued' and (r.available_at is null or r.available_at <= now()) and r.user_id <> all (v_passed)
      order by r.priority desc, r.queue_at, r.id
      limit v_rows
    loop
      v_seen := v_seen + 1;
      continue when v_candidate.id = any (v_ids) or v_candidate.user_id = any (v_passed);

      -- Another claim decides for this user, or they have what they may have.
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
        v_passed := v_passed || v_candidate.user_id;
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
    v_passed := v_passed || array(
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
  'Locks what is to be taken next, of no user more than the limit leaves once p_ending have ended, and returns the ids in order. Raises LEO11.';

create or replace function private.complete_and_claim_generations(
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
declare
  v_done integer[] := '{}';
  v_taken integer[] := '{}';
begin
  if (p_limit between 1 and 100 and p_lease between '1 second' and '1 day') is not true then
    raise exception using
      errcode = 'LEO16',
      message = 'a claim takes 1 to 100 rows, for a second to a day';
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
      v_taken := private.lock_generations(p_limit);
    else
      v_taken := private.lock_generations_within_limit(p_limit, p_user_limit, v_done);
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
      from unnest(v_taken) with ordinality as t (id, place)
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
      -- One that is there is of an earlier attempt, which its user has paused or an operator has ended.
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

create or replace function private.claim_generations(
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

drop function private.lock_generations_within_limit(integer, integer);

grant execute on function private.lock_generations_within_limit(integer, integer, integer[]) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

create function private.lock_generations_within_limit(p_limit integer, p_user_limit integer)
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
  -- Who gets nothing (more) out of this claim.
  v_passed uuid[] := '{}';
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
      where r.status = 'queued' and (r.available_at is null or r.available_at <= now()) and r.user_id <> all (v_passed)
      order by r.priority desc, r.queue_at, r.id
      limit v_rows
    loop
      v_seen := v_seen + 1;
      continue when v_candidate.id = any (v_ids) or v_candidate.user_id = any (v_passed);

      -- Another claim decides for this user, or they have what they may have.
      if not pg_try_advisory_xact_lock(hashtextextended('generation_requests.claim:' || v_candidate.user_id, 0))
        or cardinality(array_positions(v_users, v_candidate.user_id)) + (
          select count(*)
          from private.generation_leases as l
          where l.user_id = v_candidate.user_id and (
            select r.status = 'generating' and r.attempt = l.attempt
            from public.generation_requests as r
            where r.id = l.generation_request_id
          )
        ) >= p_user_limit
      then
        v_passed := v_passed || v_candidate.user_id;
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
    v_passed := v_passed || array(
      select l.user_id
      from private.generation_leases as l
      where (
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

comment on function private.lock_generations_within_limit(integer, integer) is
  'Locks what is to be taken next, of no user more than the limit leaves, and returns the ids in order. Raises LEO11.';

create or replace function private.claim_generations(
  p_worker text, p_limit integer, p_lease interval, p_user_limit integer default null
)
returns setof private.claimed_generation
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  v_ids integer[];
begin
  if (p_limit between 1 and 100 and p_lease between '1 second' and '1 day') is not true then
    raise exception using
      errcode = 'LEO16',
      message = 'a claim takes 1 to 100 rows, for a second to a day';
  end if;

  if exists (select from private.queues as q where q.name = 'generations' and q.paused_at is not null) then
    return;
  end if;

  if p_user_limit is null then
    v_ids := private.lock_generations(p_limit);
  else
    v_ids := private.lock_generations_within_limit(p_limit, p_user_limit);
  end if;

  return query
    with taken as (
      update public.generation_requests as r
      set status = 'generating'
      where r.id = any (v_ids)
      returning r.*
    ), leases as (
      -- One that is there is of an earlier attempt, which its user has paused or an operator has ended.
      insert into private.generation_leases as l (user_id, generation_request_id, attempt, worker, expires_at)
      select t.user_id, t.id, t.attempt, p_worker, now() + p_lease
      from taken as t
      on conflict (user_id, generation_request_id) do update
        set attempt = excluded.attempt, worker = excluded.worker, expires_at = excluded.expires_at
    )
    select
      t.id, t.attempt, now() + p_lease, t.user_id, t.app_id, t.app_name, t.prompt, t.initial_prompt, t.generation_type,
      t.mode, t.max_iterations, t.current_iteration, t.last_session_id, t.github_url, t.failure_count
    from taken as t
    order by array_position(v_ids, t.id);
end
$$;

create or replace function private.complete_and_claim_generations(
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

drop function private.lock_generations_within_limit(integer, integer, integer[]);

grant execute on function private.lock_generations_within_limit(integer, integer) to leo_worker;
