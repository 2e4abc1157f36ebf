import type { Migration } from '../../migrate/migrations.ts'

/**
 * A naive upgrade for a maintenance window: a few statements per table, all in one transaction. It fills the same log and
 * the same quarantine. Deliberately absent: it does not skip a `name (2)` that is taken, does not postpone rows, and cannot
 * be stopped and continued.
 */
export const naiveBackfill = {
  contested: `
    insert into private.upgrade_owners (app_id)
    select r.app_id
    from public.generation_requests as r
    join auth.users as u on u.id = r.user_id
    group by r.app_id
    having count(distinct r.user_id) > 1 and r.app_id is not null`,

  apps: `
    with wanted as materialized (
      select
        r.user_id, coalesce(r.app_id, private.app_id_of_request(r.id)) as id, min(r.created_at) as since, min(r.id) as first_id,
        coalesce(
          (array_agg(left(r.app_name, 120) order by r.created_at desc nulls last, r.id desc)
            filter (where private.visible_name(r.app_name) is not null))[1],
          'Untitled app'
        ) as name
      from public.generation_requests as r
      join auth.users as u on u.id = r.user_id
      where not exists (select from private.upgrade_owners as o where o.app_id = r.app_id)
      group by 1, 2
    ),
    numbered as materialized (
      select w.*, row_number() over (partition by w.user_id, w.name order by w.since, w.first_id) as n from wanted as w
    ),
    made as (
      insert into public.apps (id, user_id, app_name, created_at)
      select n.id, n.user_id, case n.n when 1 then n.name else left(n.name, 110) || ' (' || n.n || ')' end, coalesce(n.since, now())
      from numbered as n
      returning id, app_name
    )
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select 'apps', n.first_id, n.user_id, 'app_name', n.name, m.app_name, 'another app of the user has the name'
    from numbered as n
    join made as m on m.id = n.id
    where n.n > 1`,

  lostRequests: `
    with gone as (
      delete from public.generation_requests as r
      where not exists (
        select from public.apps as a where a.id = coalesce(r.app_id, private.app_id_of_request(r.id)) and a.user_id = r.user_id
      )
      returning r.*
    )
    insert into private.quarantine (table_name, row_id, user_id, reason, content)
    select 'generation_requests', gone.id, u.id, 'no owner beyond doubt', to_jsonb(gone)
    from gone left join auth.users as u on u.id = gone.user_id`,

  requests: `
    with dirty as (
      select r.*
      from public.generation_requests as r
      where not (
        r.app_id is not null and private.visible_name(r.app_name) is not null and r.current_iteration <= r.max_iterations
        and (r.completed_at is not null) = (r.status in ('completed', 'failed', 'cancelled'))
        and (r.completed_at is null or r.completed_at >= r.created_at)
      )
    ),
    repaired as (
      update public.generation_requests as r
      set app_id = coalesce(d.app_id, private.app_id_of_request(d.id)),
          app_name = case when private.visible_name(d.app_name) is null then 'Untitled app' else d.app_name end,
          max_iterations = greatest(d.max_iterations, d.current_iteration),
          completed_at = case when d.status in ('completed', 'failed', 'cancelled')
            then greatest(coalesce(d.completed_at, d.updated_at), d.created_at) end
      from dirty as d
      where r.id = d.id
      returning r.id, r.user_id, to_jsonb(d) as before, to_jsonb(r) as after
    )
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select 'generation_requests', m.id, m.user_id, b.key, b.value, a.value, 'repaired'
    from repaired as m
    cross join lateral jsonb_each_text(m.before) as b
    join lateral jsonb_each_text(m.after) as a on a.key = b.key
    where a.value is distinct from b.value`,

  lostSnapshots: `
    with gone as (
      delete from public.iteration_snapshots as s
      where not exists (select from public.generation_requests as r where r.id = s.generation_request_id)
        or exists (
          select from public.iteration_snapshots as earlier
          where earlier.generation_request_id = s.generation_request_id and earlier.iteration_number = s.iteration_number
            and earlier.snapshot_type = s.snapshot_type and earlier.id < s.id
            and earlier.files_snapshot = s.files_snapshot and earlier.prompt_used = s.prompt_used and earlier.metadata = s.metadata
        )
      returning s.*
    )
    insert into private.quarantine (table_name, row_id, user_id, reason, content)
    select 'iteration_snapshots', gone.id, r.user_id, 'no generation, or a duplicate', to_jsonb(gone)
    from gone left join public.generation_requests as r on r.id = gone.generation_request_id`,

  snapshots: `
    update public.iteration_snapshots as s set user_id = r.user_id
    from public.generation_requests as r
    where r.id = s.generation_request_id`,
} as const

/**
 * SQL that runs the same migrations in one transaction, with the statements above in place of the backfill. The first lock
 * is held until the last statement, also while indexes are built.
 */
export function naiveMigration(migrations: readonly Migration[], finish: string): string {
  const sql = ({ version, up }: Migration): string =>
    version === finish ? Object.values(naiveBackfill).join(';\n') : up.replaceAll(/ concurrently\b/g, '')
  return `begin; ${migrations.map(sql).join(';\n')}; commit`
}
