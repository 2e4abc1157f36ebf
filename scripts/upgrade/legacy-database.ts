import type pg from 'pg'

/**
 * Fills the baseline tables (`migrate(target, { upTo: '20261122100000' })`) with rows that violate the later foreign keys,
 * unique names and checks. The same options give the same rows on every server: each choice is a hash of the seed, the row
 * number and the purpose. Ids start at 1; times are UTC without a zone, and in the past.
 */
export async function fillLegacyDatabase(client: pg.Client, options: LegacyOptions): Promise<void> {
  const { requests, snapshots } = options
  await client.query('begin')
  await client.query(`insert into auth.users (id, email, created_at) ${userRows(options)}`)
  await client.query(`insert into public.generation_requests (${requestColumns}) ${requestRows(options)}`)
  await client.query(`insert into public.iteration_snapshots (${snapshotColumns}) ${snapshotRows(options)}`)
  await client.query(
    `select setval('public.generation_requests_id_seq', $1), setval('public.iteration_snapshots_id_seq', $2)`,
    [Math.max(1, requests), Math.max(1, snapshots)],
  )
  await client.query('commit')
  await client.query(`analyze auth.users, public.generation_requests, public.iteration_snapshots`)
}

/** Kinds of dirty data. Each is drawn per app, per request or per snapshot. */
const dirtyCases = [
  // Per app.
  'same_name',
  'case_variant',
  'over_long_name',
  'unknown_user',
  // Per request.
  'several_names',
  'several_users',
  'no_app_id',
  'blank_name',
  'no_user',
  'completed_before_created',
  'completed_without_completed_at',
  'iteration_over_limit',
  'status_conflict',
  'stale_generating',
  // Per snapshot.
  'identical_snapshot',
  'same_iteration',
  'missing_request',
  'odd_files',
] as const

type DirtyCase = (typeof dirtyCases)[number]

export interface LegacyOptions {
  readonly seed: number
  readonly users: number
  readonly requests: number
  readonly snapshots: number
  /** The share of apps, requests or snapshots that each case affects, from 0 to 1. The default is 0. */
  readonly dirt: Readonly<Partial<Record<DirtyCase, number>>>
}

/** All cases at the same rate. */
export const allDirt = (rate: number): Record<DirtyCase, number> =>
  Object.fromEntries(dirtyCases.map((name) => [name, rate])) as Record<DirtyCase, number>

/** The average number of requests per app. Requests of several apps interleave. */
const requestsPerApp = 5

/** SQL for a number in [0, 1), derived from the seed, the purpose and the row. */
const roll = ({ seed }: LegacyOptions, purpose: string, row: string): string =>
  `((hashint8extended(${row}, hashtextextended('${purpose}', ${seed})) & 1073741823) / 1073741824.0::float8)`

const happens = (options: LegacyOptions, name: DirtyCase, row: string): string =>
  `(${roll(options, name, row)} < ${options.dirt[name] ?? 0})`

const pick = (options: LegacyOptions, purpose: string, row: string, choices: readonly string[]): string =>
  `(array[${choices.join(', ')}])[1 + floor(${roll(options, purpose, row)} * ${choices.length})::int]`

const uuid = ({ seed }: LegacyOptions, what: string, row: string): string => `md5('legacy ${what} ${seed} ' || ${row})::uuid`

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

const userRows = (options: LegacyOptions): string => `
  select ${uuid(options, 'user', 'n')}, 'user' || n || '@example.com', timestamptz '2024-12-01 00:00Z'
  from generate_series(1, ${options.users}::bigint) as n`

const adjectives = ['Tiny', 'Quiet', 'Shared', 'Bright', 'Weekly', 'Open'].map(text)
const nouns = ['recipe book', 'habit tracker', 'invoice maker', 'chess clock', 'photo wall', 'reading list'].map(text)
const commonNames = ['Todo list', 'My app', 'Portfolio', 'Test'].map(text)
// Lower and upper case, é as one character and as two.
const variants = ['todo list', 'TODO LIST', 'Caf\u00e9', 'Cafe\u0301'].map(text)
const blankNames = ['null', `''`, `'   '`, `E'\\t'`, ...['\u00a0', '\u200b', '\u3000 '].map(text)]

const requestColumns = `id, app_id, user_id, app_name, prompt, initial_prompt, status, generation_type, mode, github_url,
  deployment_url, error_message, max_iterations, current_iteration, last_session_id, created_at, updated_at, completed_at`

// `offset 0` prevents the planner from inlining a subquery, which would evaluate its random numbers once per use.

function requestRows(options: LegacyOptions): string {
  const is = (name: DirtyCase, row = 'n') => happens(options, name, row)
  const random = (purpose: string, row = 'n') => roll(options, purpose, row)
  const oneOf = (purpose: string, choices: readonly string[], row = 'n') => pick(options, purpose, row, choices)
  // The square gives a few users many requests.
  const owner = `1 + floor(power(${random('owner', 'app')}, 2) * ${options.users})::bigint`
  return `
  select
    n, app_id, user_id, app_name, prompt, prompt, status, generation_type, mode, github_url, deployment_url,
    case when status = 'failed' then 'The build ended with code ' || 1 + floor(${random('code')} * 3)::int || '.' end,
    max_iterations,
    case when ${is('iteration_over_limit')} then max_iterations + 1 + floor(${random('excess')} * 5)::int
         when status = 'queued' then 0
         else floor(${random('iterations')} * (max_iterations + 1))::int end,
    case when status <> 'queued' then 'session-' || n end,
    created_at,
    updated_at,
    case when ${is('completed_before_created')} then created_at - interval '1 hour'
         when ${is('completed_without_completed_at')} then null
         when status in ('completed', 'failed', 'cancelled') <> ${is('status_conflict')} then updated_at end
  from (
    select
      *,
      case
        when ${is('stale_generating')} then 'generating'
        when ${is('completed_before_created')} or ${is('completed_without_completed_at')} then 'completed'
        -- Only the newest requests are queued.
        when n > ${options.requests} * 0.99 then 'queued'
        when ${random('status')} < 0.75 then 'completed'
        when ${random('status')} < 0.88 then 'failed'
        when ${random('status')} < 0.95 then 'cancelled'
        else 'paused'
      end::public.generation_status as status,
      created_at + (60 + floor(${random('duration')} * 3600)) * interval '1 second' as updated_at
    from (
      select
        n,
        case when ${is('no_app_id')} then null else ${uuid(options, 'app', 'app')} end as app_id,
        case
          when ${is('no_user')} then null
          when ${is('several_users')} then ${uuid(options, 'user', `1 + floor(${random('intruder')} * ${options.users})::bigint`)}
          when ${is('unknown_user', 'app')} then ${uuid(options, 'deleted user', 'app')}
          else ${uuid(options, 'user', `(${owner})`)}
        end as user_id,
        case
          when ${is('blank_name')} then ${oneOf('blank', blankNames)}
          when ${is('several_names')} then 'Renamed ' || n
          when ${is('same_name', 'app')} then ${oneOf('common', commonNames, 'app')}
          when ${is('case_variant', 'app')} then ${oneOf('variant', variants, 'app')}
          when ${is('over_long_name', 'app')} then repeat('A very long name ', 12) || app
          else ${oneOf('adjective', adjectives, 'app')} || ' ' || ${oneOf('noun', nouns, 'app')} || ' ' || app
        end as app_name,
        'Make it ' || lower(${oneOf('style', adjectives)}) || ', for request ' || n as prompt,
        case when ${random('resumed')} < 0.4 then 'resume' else 'new' end::public.generation_type as generation_type,
        ${oneOf('mode', [`'single-shot'`, `'autonomous'`, `'confirm_first'`])}::public.generation_mode as mode,
        case when ${random('pushed')} < 0.6 then 'https://github.com/example/app-' || app end as github_url,
        case when ${random('deployed')} < 0.4 then 'https://app-' || app || '.fly.dev' end as deployment_url,
        5 + floor(${random('limit')} * 16)::int as max_iterations,
        timestamp '2025-01-01' + n * 500.0 / ${options.requests} * interval '1 day' as created_at
      from (
        select n, (n + floor(${random('interleave')} * ${requestsPerApp * 8})::bigint) / ${requestsPerApp} as app
        from generate_series(1, ${options.requests}::bigint) as n
        offset 0
      ) as numbered
      offset 0
    ) as named
    offset 0
  ) as timed
  order by n`
}

const snapshotColumns =
  'id, generation_request_id, iteration_number, snapshot_type, files_snapshot, prompt_used, "timestamp", metadata'

/** Texts that JSON functions or file systems do not accept. */
const oddFiles = [
  '',
  'no JSON',
  '["index.html"]',
  '{"index.html":{"size":1}}',
  '{"a.txt":"\\u0000"}',
  '{"a.txt":"1","a.txt":"2"}',
  '{"../../etc/passwd":"x"}',
  '{"/etc/passwd":"x"}',
].map(text)

function snapshotRows(options: LegacyOptions): string {
  const { requests, snapshots } = options
  const is = (name: DirtyCase, row = 'n') => happens(options, name, row)
  const request = (n: string) => `1 + (${n} - 1) * ${requests} / ${Math.max(1, snapshots)}`
  // A copy repeats the iteration of the previous snapshot; an identical one repeats all other values. No copies of copies.
  const copies = (name: DirtyCase) => `(${is(name)} and not ${is(name, '(n - 1)')} and request = ${request('(n - 1)')})`
  return `
  select
    n,
    case when ${is('missing_request')} then ${requests} + n else request end,
    case when is_identical or is_same_iteration then iteration - 1 else iteration end,
    ${pick(options, 'type', 'source', [`'automatic'`, `'automatic'`, `'manual'`, `'checkpoint'`].map((type) => `${type}::public.snapshot_type`))},
    case
      when ${is('odd_files', 'source')} then ${pick(options, 'odd', 'source', oddFiles)}
      else '{"index.html":"<h1>' || request || '</h1>","src/main.js":"' || repeat('let x = ' || source || '\\n', 4) || '"}'
    end,
    'Iteration ' || iteration - case when is_identical then 1 else 0 end,
    timestamp '2025-01-01' + request * 500.0 / ${requests} * interval '1 day' + iteration * interval '1 minute',
    jsonb_build_object('tokens', source % 4096, 'changed', jsonb_build_array('src/main.js'))
  from (
    select *, case when is_identical then n - 1 else n end as source
    from (
      select
        n,
        request,
        -- The first snapshot of the request is iteration 0.
        n - 1 - ((request - 1) * ${snapshots} + ${requests} - 1) / ${requests} as iteration,
        ${copies('identical_snapshot')} as is_identical,
        ${copies('same_iteration')} and not ${copies('identical_snapshot')} as is_same_iteration
      from (select n, ${request('n')} as request from generate_series(1, ${snapshots}::bigint) as n offset 0) as numbered
      offset 0
    ) as copied
    offset 0
  ) as sourced
  order by n`
}
