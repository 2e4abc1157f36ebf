-- Contract: limits users, who can write to this table through the Data API: 100 iterations per generation, 20 queued
-- generations per user, whether enqueued, resumed or retried. The triggers do not fire for services.
-- Counting requires that the enqueues of one user wait for each other: an advisory lock per user, for the transaction.
-- Locks: SHARE ROW EXCLUSIVE, briefly. Undo: drops the triggers.

-- migrate:up
set local lock_timeout = '3s';

create function private.tg_generation_requests__limit_user()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.max_iterations > 100 then
    raise exception using
      errcode = 'LEO05',
      message = 'a generation can have 100 iterations at most',
      schema = tg_table_schema, table = tg_table_name, column = 'max_iterations';
  end if;

  -- Row security refuses the row after this trigger; an error here would show how full another user's queue is.
  if new.user_id is distinct from (select auth.uid()) then
    return new;
  end if;

  -- A repeated enqueue does not count: the unique index refuses it.
  if tg_op = 'INSERT' and exists (
    select from public.generation_requests as r
    where r.user_id = new.user_id and r.idempotency_key = new.idempotency_key
  ) then
    return new;
  end if;

  -- The count below must see what the previous holder of the lock committed, which an older snapshot does not.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'LEO11',
      message = 'users can queue generations in READ COMMITTED transactions only',
      schema = tg_table_schema, table = tg_table_name;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('generation_requests.queue:' || new.user_id, 0));

  -- A separate statement, so that it sees what the previous holder of the lock committed.
  if (
    select count(*)
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued'
  ) >= 20 then
    raise exception using
      errcode = 'LEO04',
      message = '20 generations are queued, which is the maximum',
      hint = 'Wait until one starts, or cancel one.',
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  return new;
end
$$;

comment on function private.tg_generation_requests__limit_user() is
  'Trigger: the limits for users. Raises LEO04, LEO05, LEO11.';

create trigger _200_limit_user before insert on public.generation_requests
  for each row when (not pg_has_role(current_user, 'service_role', 'usage'))
  execute function private.tg_generation_requests__limit_user();

create trigger _200_limit_user_again before update of status on public.generation_requests
  for each row when (
    old.status is distinct from new.status and new.status = 'queued'
    and not pg_has_role(current_user, 'service_role', 'usage')
  )
  execute function private.tg_generation_requests__limit_user();

-- migrate:down
set local lock_timeout = '3s';

drop trigger _200_limit_user_again on public.generation_requests;
drop trigger _200_limit_user on public.generation_requests;
drop function private.tg_generation_requests__limit_user();
