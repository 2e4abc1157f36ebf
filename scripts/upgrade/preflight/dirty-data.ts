import type pg from 'pg'
import type { CaseCode, Found } from './cases.ts'
import { rowsOf } from './read-only.ts'
import { maxContested, type ContestedApp, type Stage } from './report.ts'

/**
 * Queries that count dirty data by the rules of the backfill. Each query scans a table once and reads only the length of
 * `files_snapshot`. Before expand the functions of the backfill do not exist, so the rules are repeated here; a test
 * compares the two.
 */

const examples = 5

/** A visible character, as in private.has_visible_character(). */
export const visibleCharacter = String.raw`[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]`

const visibleName = `case
    when r.app_name collate "C" ~ '[0-9A-Za-z]' or left(r.app_name, 120) collate "C" ~ '${visibleCharacter}' then left(r.app_name, 120)
  end`

/** The expression of private.app_id_of_request(). */
const derivedAppId = `overlay(overlay(md5('leo-saas-schema generation_requests ' || r.id) placing '8' from 13) placing '8' from 17)::uuid`

/** As private.is_https_url(). */
export const https = `collate "C" ~ '^https://[!-~]+$'`
const asHttps = (column: string) => `regexp_replace(btrim(r.${column}, E' \\t\\r\\n'), '^http://', 'https://', 'i')`
const eitherUrl = (condition: (column: string) => string) =>
  ['github_url', 'deployment_url'].map((column) => `(r.is_odd_${column} and ${condition(column)})`).join(' or ')

/** Requests with the reason for their quarantine, if any; `$1` is the contested app ids. `offset 0` prevents inlining. */
function classifiedRequests(stage: Stage): string {
  const isExpanded = stage === 'backfill pending'
  return `
    select r.*, case
        when r.user_id is null then 'user_id_missing'
        when u.id is null then 'user_id_unknown'
        when r.app_id = any ($1::uuid[]) then 'app_contested_requests'
        ${isExpanded ? `when o.user_id <> r.user_id or a.user_id <> r.user_id then 'app_of_another_user'` : ''}
      end as quarantine_code,
      ${isExpanded ? `a.id is not null` : 'false'} as has_app
    from public.generation_requests as r
    left join auth.users as u on u.id = r.user_id
    ${
      isExpanded
        ? `left join private.upgrade_owners as o on o.app_id = r.app_id
           left join public.apps as a on a.id = coalesce(r.app_id, ${derivedAppId})`
        : ''
    }
    offset 0`
}

/** SQL that counts rows by code. It evaluates each condition once per row and unnests the codes of dirty rows only. */
function countByCode(conditions: Readonly<Partial<Record<CaseCode, string>>>, from: string, more = ''): string {
  const codes = Object.entries(conditions).map(([code, condition]) => `case when ${condition} then '${code}' end`)
  return `
    select code, count(*)::int as count, (array_agg(id order by id))[1:${examples}]::text[] as examples
    from (
      select r.id, array_remove(array[${[...codes, ...(more ? [more] : [])].join(',\n')}], null) as codes
      from ${from} offset 0
    ) as r
    cross join unnest(r.codes) as code
    where r.codes <> '{}'
    group by code`
}

export interface Contested {
  readonly count: number
  readonly ids: readonly string[]
  readonly apps: readonly ContestedApp[]
}

export async function findContested(client: pg.Client, stage: Stage): Promise<Contested> {
  const isExpanded = stage === 'backfill pending'
  const found = await rowsOf<{ app_id: string }>(
    client,
    `select r.app_id
     from public.generation_requests as r
     join auth.users as u on u.id = r.user_id
     ${isExpanded ? 'left join private.upgrade_owners as o on o.app_id = r.app_id' : ''}
     where r.app_id is not null
       ${isExpanded ? 'and o.user_id is null and not exists (select from public.apps as a where a.id = r.app_id)' : ''}
     group by r.app_id
     having min(r.user_id::text collate "C") <> max(r.user_id::text collate "C") ${isExpanded ? 'or bool_or(o.app_id is not null)' : ''}
     order by r.app_id`,
  )
  const ids = found.map(({ app_id }) => app_id)
  if (ids.length === 0) return { count: 0, ids, apps: [] }
  const apps = await rowsOf<ContestedApp>(
    client,
    `select app_id, jsonb_agg(jsonb_build_object('user_id', user_id, 'requests', requests) order by requests desc, user_id) as claims
     from (
       select r.app_id, r.user_id, count(*) as requests
       from public.generation_requests as r
       join auth.users as u on u.id = r.user_id
       where r.app_id = any ($1::uuid[])
       group by 1, 2
     ) as claim
     group by app_id
     order by app_id`,
    [ids.slice(0, maxContested)],
  )
  return { count: ids.length, ids, apps }
}

type Row = { code: CaseCode } & Found

export function examineRequests(client: pg.Client, stage: Stage, contested: readonly string[]): Promise<Row[]> {
  const repairs: Partial<Record<CaseCode, string>> = {
    app_id_missing: 'r.app_id is null',
    app_name_blank: 'r.visible is null',
    app_name_too_long: 'octet_length(r.app_name) > 120 and char_length(r.app_name) > 120 and r.visible is not null and not r.has_app',
    generating_stale: `r.status::text = 'generating'
      and coalesce(r.updated_at::timestamptz, r.created_at::timestamptz, '-infinity') < now() - interval '1 day'`,
    status_missing: 'r.status is null',
    completed_at_missing: 'r.is_finished and r.completed_at is null',
    completed_at_unexpected: 'not r.is_finished and r.completed_at is not null',
    completed_before_created: 'r.completed_at::timestamptz < r.created_at::timestamptz and r.is_finished is not false',
    iteration_over_limit: 'r.max_iterations > 0 and r.current_iteration > r.max_iterations',
    max_iterations_invalid: '(r.max_iterations > 0) is not true',
    current_iteration_invalid: '(r.current_iteration >= 0) is not true',
    generation_type_missing: 'r.generation_type is null',
    mode_missing: 'r.mode is null',
    prompt_missing: 'r.prompt is null',
    created_at_missing: 'r.created_at is null',
    updated_at_missing: 'r.updated_at is null',
    url_not_https: eitherUrl((column) => `${asHttps(column)} ${https}`),
    url_invalid: eitherUrl((column) => `not ${asHttps(column)} ${https}`),
  }
  const conditions = Object.fromEntries(
    Object.entries(repairs).map(([code, condition]) => [code, `r.quarantine_code is null and (${condition})`]),
  )
  const rows = `(
    select r.*, (${visibleName}) as visible, r.status::text in ('completed', 'failed', 'cancelled') as is_finished,
      not r.github_url ${https} as is_odd_github_url, not r.deployment_url ${https} as is_odd_deployment_url
    from (${classifiedRequests(stage)}) as r
    offset 0
  ) as r`
  return rowsOf<Row>(client, countByCode(conditions, rows, 'r.quarantine_code'), [contested])
}

/** Counts naming conflicts among the apps that the backfill will create. */
export async function examineApps(client: pg.Client, stage: Stage, contested: readonly string[]): Promise<Row[]> {
  const isTaken =
    stage === 'backfill pending'
      ? 'or exists (select from public.apps as a where a.user_id = r.user_id and a.app_name = r.wanted)'
      : ''
  const [{ folds } = { folds: '"default"' }] = await rowsOf<{ folds: string }>(
    client,
    // The C collation folds the case of A to Z only.
    `select quote_ident(collname) as folds from pg_collation
     where collname in ('und-x-icu', 'pg_c_utf8', 'C.utf8') and collnamespace = 'pg_catalog'::regnamespace
     order by array_position('{und-x-icu,pg_c_utf8,C.utf8}'::text[], collname::text) limit 1`,
  )
  return rowsOf<Row>(
    client,
    countByCode(
      {
        app_name_taken: `r.place > 1 ${isTaken}`,
        app_names_several: 'r.has_several',
        app_name_variant: 'r.first_variant <> r.last_variant',
      },
      `(
        select *,
          min(wanted) over folded as first_variant,
          max(wanted) over folded as last_variant
        from (
          select *,
            row_number() over (partition by user_id, wanted order by since nulls last, first_request_id) as place,
            lower(normalize(wanted, nfkc) collate pg_catalog.${folds}) as folds_to
          from (
            select
              r.user_id,
              coalesce(r.app_id, ${derivedAppId}) as id,
              coalesce(
                (array_agg(r.visible order by r.created_at desc nulls last, r.id desc) filter (where r.visible is not null))[1],
                'Untitled app'
              ) as wanted,
              min(r.visible) <> max(r.visible) as has_several,
              min(r.created_at) as since,
              min(r.id) as first_request_id
            from (
              select r.id, r.user_id, r.app_id, r.created_at::timestamptz as created_at, (${visibleName}) collate "C" as visible
              from (${classifiedRequests(stage)}) as r
              where r.quarantine_code is null and not r.has_app
            ) as r
            group by r.user_id, coalesce(r.app_id, ${derivedAppId})
          ) as app
        ) as numbered
        window folded as (partition by user_id, folds_to)
      ) as r`,
    ),
    [contested],
  )
}

export function examineSnapshots(client: pg.Client, stage: Stage, contested: readonly string[]): Promise<Row[]> {
  return rowsOf<Row>(
    client,
    countByCode(
      {
        snapshot_request_missing: 'r.request_id is null',
        snapshot_request_lost: 'r.quarantine_code is not null',
        snapshot_iteration_invalid: 'r.is_kept and (r.iteration_number >= 0) is not true',
        snapshot_type_missing: 'r.is_kept and r.snapshot_type is null',
        snapshot_timestamp_missing: 'r.is_kept and r."timestamp" is null',
        snapshot_metadata_no_object: `r.is_kept and jsonb_typeof(r.metadata) <> 'object'`,
        files_missing: 'r.files_snapshot is null',
      },
      `(
        select s.*, request.id as request_id, request.quarantine_code, request.id is not null and request.quarantine_code is null as is_kept
        from public.iteration_snapshots as s
        left join (select r.id, r.quarantine_code from (${classifiedRequests(stage)}) as r) as request on request.id = s.generation_request_id
      ) as r`,
    ),
    [contested],
  )
}

/** The largest number of repeated snapshots that are compared without `deep`. */
const maxCopiesCompared = 1000

interface Copies {
  readonly copies: number
  readonly looked_at: number
  readonly identical: string[]
  readonly identical_count: number
  readonly differ: string[]
  readonly differ_count: number
}

/**
 * Counts the snapshots that repeat a request, iteration and type: identical ones and different ones. Reads the files only
 * of snapshots that have the same length as another one of their group.
 */
export async function examineCopies(
  client: pg.Client,
  stage: Stage,
  contested: readonly string[],
  deep: boolean,
): Promise<Row[]> {
  const rows = await rowsOf<Copies>(
    client,
    `with copies as materialized (
       select id, request_id, iteration_number, type
       from (
         select s.id, s.generation_request_id as request_id, s.iteration_number, coalesce(s.snapshot_type, 'automatic') as type,
           count(*) over (partition by s.generation_request_id, s.iteration_number, coalesce(s.snapshot_type, 'automatic')) as members
         from public.iteration_snapshots as s
         where s.iteration_number >= 0
           and s.generation_request_id in (select r.id from (${classifiedRequests(stage)}) as r where r.quarantine_code is null)
       ) as numbered
       where members > 1
     ),
     chosen as materialized (
       select * from copies order by hashint4(request_id), request_id, iteration_number, type, id
       ${deep ? '' : `limit ${maxCopiesCompared}`}
     ),
     hashed as (
       select c.*, s.prompt_used,
         case when jsonb_typeof(s.metadata) <> 'object' then jsonb_build_object('value', s.metadata) else s.metadata end as metadata,
         octet_length(s.files_snapshot) as length,
         case when count(*) over (partition by c.request_id, c.iteration_number, c.type, octet_length(s.files_snapshot)) > 1
           then md5(s.files_snapshot) end as files
       from chosen as c join public.iteration_snapshots as s on s.id = c.id
     ),
     compared as (
       select id,
         row_number() over (partition by request_id, iteration_number, type order by id) > 1 as is_copy,
         row_number() over (partition by request_id, iteration_number, type, length, files, prompt_used, metadata order by id) > 1 as is_identical
       from hashed
     )
     select
       (select count(*) - count(distinct (request_id, iteration_number, type)) from copies)::int as copies,
       count(*) filter (where is_copy)::int as looked_at,
       count(*) filter (where is_identical)::int as identical_count,
       coalesce((array_agg(id order by id) filter (where is_identical))[1:${examples}]::text[], '{}') as identical,
       count(*) filter (where is_copy and not is_identical)::int as differ_count,
       coalesce((array_agg(id order by id) filter (where is_copy and not is_identical))[1:${examples}]::text[], '{}') as differ
     from compared`,
    [contested],
  )
  const { copies, looked_at, identical, identical_count, differ, differ_count } = rows[0]!
  const sample = looked_at < copies ? { sample: { looked_at, of: copies } } : {}
  return [
    { code: 'snapshot_identical', count: identical_count, examples: identical, ...sample },
    { code: 'snapshot_iteration_repeated', count: differ_count, examples: differ, ...sample },
  ]
}
