-- Creates the functions to work through cleanup_outbox. A claim is a lease: when it expires, another worker can claim the
-- row, and the higher attempt keeps the first from finishing or failing it. There is no last attempt: a failed row is
-- available again after 30 seconds, then after twice as long each time, at most a day.
-- A repository or Fly app is not claimable while an app of the same user uses it: one that existed at the deletion, or one
-- created since with the same URL.
-- Functions instead of grants: an UPDATE grant could not enforce who finishes a row and that its token is removed.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create function private.claim_cleanups(p_worker text, p_limit integer default 1, p_lease interval default '10 minutes')
returns setof public.cleanup_outbox
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_limit between 1 and 100 and p_lease between '1 second' and '1 day' then
    return query
      -- Materialized: a plan could otherwise run it more than once and claim more than it returns.
      with due as materialized (
        select o.id
        from public.cleanup_outbox as o
        where o.finished_at is null and o.available_at <= now() and (o.claimed_until is null or o.claimed_until <= now())
          and not exists (
            select
            from public.generation_requests as r
            where r.user_id = (o.context ->> 'user_id')::uuid
              and o.target = case o.kind when 'github_repository' then r.github_url when 'fly_app' then r.deployment_url end
          )
        order by o.available_at, o.id
        limit p_limit
        for update of o skip locked
      )
      update public.cleanup_outbox as o
      set attempt = o.attempt + 1, claimed_by = p_worker, claimed_until = now() + p_lease
      from due
      where o.id = due.id
      returning o.*;
  else
    raise exception using
      errcode = 'LEO16',
      message = 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day';
  end if;
end
$$;

comment on function private.claim_cleanups(text, integer, interval) is
  'Claims available clean-ups, the earliest first, for the time of the lease. Raises LEO16, and cleanup_outbox_claimed_by_printable_check for a worker without a name.';

create function private.finish_cleanup(p_id bigint, p_attempt integer)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_cleanup public.cleanup_outbox;
begin
  select * into v_cleanup
  from public.cleanup_outbox as o
  where o.id = p_id and o.attempt = p_attempt and o.claimed_by is not null
  for update;

  if not found then
    return false;
  end if;
  if v_cleanup.kind = 'supabase_place' then
    perform private.release_supabase_place((v_cleanup.context ->> 'app_id')::uuid);
    return true;
  end if;

  update public.cleanup_outbox as o
  set finished_at = now(), sealed_token = null, context = '{}', last_error = null, claimed_by = null, claimed_until = null
  where o.id = p_id;
  return true;
end
$$;

comment on function private.finish_cleanup(bigint, integer) is
  'Finishes the clean-up, removes its token and context, and releases the place if it is one. False, without a change: this attempt is not the latest, or the clean-up is finished.';

create function private.fail_cleanup(p_id bigint, p_attempt integer, p_error text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update public.cleanup_outbox as o
  set last_error = left(p_error, 500), claimed_by = null, claimed_until = null,
      available_at = now() + least(interval '30 seconds' * 2 ^ least(o.attempt - 1, 12), interval '1 day')
  where o.id = p_id and o.attempt = p_attempt and o.claimed_by is not null;
  return found;
end
$$;

comment on function private.fail_cleanup(bigint, integer, text) is
  'Records the failure of this attempt, and makes the row available again after a delay. False, without a change: this attempt is not the latest.';

grant execute on function private.claim_cleanups(text, integer, interval) to leo_worker;
grant execute on function private.finish_cleanup(bigint, integer) to leo_worker;
grant execute on function private.fail_cleanup(bigint, integer, text) to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.fail_cleanup(bigint, integer, text);
drop function private.finish_cleanup(bigint, integer);
drop function private.claim_cleanups(text, integer, interval);
