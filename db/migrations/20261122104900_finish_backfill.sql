-- Contract: the first step. The rules that follow can break writers of the previous schema, so on tables with rows it
-- requires the operator's confirmation that they are stopped, and a backfill with few rows left; it processes those. A new
-- database has none.
-- Locks: none but on the rows that it changes. Undo: keeps the changes.

-- migrate:up
set local lock_timeout = '3s';

do $$
declare
  v_at_once constant integer := 10000;
begin
  if not exists (select from public.generation_requests) and not exists (select from public.iteration_snapshots) then
    return;
  end if;
  if not exists (select from private.upgrade_progress as p where p.phase = 'old_writers_gone' and p.is_finished) then
    raise exception using
      errcode = 'LEO10',
      message = 'the tables have rows, and it is not confirmed that the writers of the previous schema are stopped (make backfill old_writers=gone)',
      hint = 'Run `make backfill`, stop the writers of the previous schema, run `make backfill old_writers=gone`, then `make migrate` again.';
  end if;
  if (
    select count(*) from (select from public.iteration_snapshots as s where s.user_id is null limit v_at_once + 1) as rest
  ) > v_at_once or (
    select count(*) from (
      select from public.generation_requests as r
      where not exists (select from public.apps as a where a.id = r.app_id and a.user_id = r.user_id)
      limit v_at_once + 1
    ) as rest
  ) > v_at_once then
    raise exception using
      errcode = 'LEO10',
      message = format('more than %s rows are not backfilled (make backfill)', v_at_once),
      hint = 'Run `make backfill`, then `make migrate` again.';
  end if;

  -- From the start: rows that earlier runs skipped, or that were written behind their position, are processed too.
  update private.upgrade_progress set position = null where phase in ('users', 'requests', 'snapshots');
  perform private.backfill_contested();
  while private.backfill_users(v_at_once) > 0 loop
  end loop;
  -- Apps whose writers held the lock, or whose owner was chosen after the users were processed.
  perform private.name_apps(array(
    select distinct r.user_id
    from public.generation_requests as r
    where r.user_id is not null
      and not exists (
        select from public.apps as a where a.id = coalesce(r.app_id, private.app_id_of_request(r.id))
      )
  ));
  while private.backfill_requests(v_at_once, true) > 0 loop
  end loop;
  while private.backfill_snapshots(v_at_once) > 0 loop
  end loop;

  -- The SQLSTATE of a lock timeout: `make migrate` tries again.
  if exists (select from private.upgrade_progress as p where p.phase in ('requests', 'snapshots') and p.passed_over > 0) then
    raise exception using
      errcode = '55P03',
      message = 'another session has locked rows that are not backfilled';
  end if;
end
$$;

-- migrate:down
select 'the changes are kept';
