-- How a worker takes generations: the highest priority first, then by place. A claim takes the row, which raises its
-- attempt, and writes the lease, both in one short transaction; it waits for nobody, SKIP LOCKED passes over what others
-- are about to take. Every function of the queue locks the generation before its lease, as the cascade of a deletion does.
--
-- A limit per user is strict: whoever claims for a user holds their advisory lock until commit, and counts what runs in a
-- statement that begins after it was granted, so that it sees what the one before has committed. In one statement both
-- would see the same snapshot, and both would take. What is counted are leases in force; claims without a limit, made
-- at the same time, are not held back. First the head of the queue is tried as it is. Only where that is not enough
-- everybody who is at the limit is looked up, so that a head full of their generations costs one scan and starves nobody.
--
-- Plans must not depend on what the statistics say of a queue that fills and empties within minutes: the settings leave
-- the index of the queue as the only way to its order, planned once per connection, and leases, which are few, are looked
-- up one by one in subqueries, which no plan turns into a scan of all generations.
--
-- Invokers' rights: a claim is a write of the worker, and the timeline says so.
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

comment on type private.claimed_generation is 'What a worker has to know of a generation that it has taken.';

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
  'Locks what is to be taken next, passes over what others have locked, and returns the ids in order.';

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

create function private.claim_generations(
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

comment on function private.claim_generations(text, integer, interval, integer) is
  'Takes what is due, highest priority and earliest place first, of no user more than p_user_limit at a time, for as long as the lease says. No rows: nothing is due, or claims are paused. Raises LEO11, LEO16, and generation_leases_worker_printable_check for a worker without a name.';

grant execute on function private.lock_generations(integer) to leo_worker;
grant execute on function private.lock_generations_within_limit(integer, integer) to leo_worker;
grant execute on function private.claim_generations(text, integer, interval, integer) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.claim_generations(text, integer, interval, integer);
drop function private.lock_generations_within_limit(integer, integer);
drop function private.lock_generations(integer);
drop type private.claimed_generation;
