-- The difference between two schema snapshots, for users and services alike; in schema public, so that the Data API
-- offers it (rpc/diff_schema_snapshots). It runs as its caller: row security decides which snapshots there are.
-- A function and not a view: what is asked for is a pair.
-- Deliberately absent: guesses at renames; the order of columns.
-- Locks: none. Undo: drops the function.

-- migrate:up
set local lock_timeout = '3s';

create function public.diff_schema_snapshots(p_from bigint, p_to bigint)
returns table (table_name text, column_name text, change text, before jsonb, after jsonb)
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
as $$
  -- Without the one or the other there is no row here, and so none in the end.
  with snapshots as materialized (
    select earlier.tables as before, later.tables as after
    from public.schema_snapshots as earlier
    cross join public.schema_snapshots as later
    where earlier.id = p_from and later.id = p_to
  ),
  tables as materialized (
    select table_name, earlier.value as before, later.value as after
    from (select e.key as table_name, e.value from snapshots cross join jsonb_each(snapshots.before) as e) as earlier
    full join (select e.key as table_name, e.value from snapshots cross join jsonb_each(snapshots.after) as e) as later
      using (table_name)
  ),
  differences as (
    select table_name, null as column_name, before, after
    from tables
    where before is null or after is null
    union all
    select table_name, null, before - 'columns', after - 'columns'
    from tables
    where before is not null and after is not null
    union all
    select table_name, columns.column_name, columns.before, columns.after
    from tables
    cross join lateral (
      select column_name, earlier.value as before, later.value as after
      from (
        select n.key as column_name, n.value
        from jsonb_each((select jsonb_object_agg(e ->> 'name', e) from jsonb_array_elements(tables.before -> 'columns') as e)) as n
      ) as earlier
      full join (
        select n.key as column_name, n.value
        from jsonb_each((select jsonb_object_agg(e ->> 'name', e) from jsonb_array_elements(tables.after -> 'columns') as e)) as n
      ) as later using (column_name)
    ) as columns
    where tables.before is not null and tables.after is not null
  )
  select
    table_name,
    column_name,
    case when before is null then 'added' when after is null then 'removed' else 'changed' end,
    before,
    after
  from differences
  where before is distinct from after
  order by table_name collate "C", column_name collate "C" nulls first
$$;

comment on function public.diff_schema_snapshots(bigint, bigint) is
  'What is added, removed or changed from one schema snapshot to another: tables (column_name is null; what it says of a changed one leaves its columns out) and columns of the tables that are in both. No rows where the caller may not see both.';

revoke all on function public.diff_schema_snapshots(bigint, bigint) from public, anon, authenticated, service_role;
grant execute on function public.diff_schema_snapshots(bigint, bigint) to authenticated, service_role;

-- migrate:down
set local lock_timeout = '3s';

drop function public.diff_schema_snapshots(bigint, bigint);
