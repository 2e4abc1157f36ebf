import { randomInt } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import type pg from 'pg'
import { connect, withClient } from '../core/connect.ts'
import type { Target } from '../core/target.ts'
import { main } from '../core/failure.ts'
import { step } from '../core/progress.ts'
import { withScratchDatabase } from '../migrate/scratch-database.ts'
import { superuser } from '../postgres/server.ts'
import { quantile } from './compare.ts'

/**
 * Measures the sums per month of random users in a large generation_costs table, as `authenticated` under row security,
 * with the covering index and without it. Prints the times; it has no assertions.
 */

const users = 10_000
const rows = 1_000_000
const index = 'generation_costs_user_id_month_idx'
/** A measurement stops after this many milliseconds, also with fewer samples. */
const timeLimit = 20_000

const queries = {
  'one month': `select cost_micros from generation_costs_by_month where month = '2026-03-01T00:00:00Z'`,
  'all months': 'select * from generation_costs_by_month order by month',
} as const
type Query = keyof typeof queries
const queryNames = Object.keys(queries) as Query[]

interface Measurement {
  /** Times of the first statement of a new connection, with empty plan and catalog caches. */
  readonly cold: readonly number[]
  readonly warm: readonly number[]
  readonly plan: string
}
type Measurements = Readonly<Record<Query, Measurement>>

await main(() =>
  withScratchDatabase(async (target) => {
    const definition = await withClient({ ...target, pg: { ...target.pg, user: superuser } }, async (client) => {
      const { rows: found } = await client.query<{ sql: string }>('select pg_get_indexdef($1::regclass) as sql', [index])
      await step(`writing ${rows} rows of ${users} users`, () => fill(client))
      return found[0]?.sql ?? ''
    })
    const without = await step('querying without the index', () => measure(target))
    await step('building the index', () =>
      withClient(target, async (client) => {
        await client.query(definition)
        await client.query('vacuum analyze generation_costs')
      }),
    )
    const covered = await step('querying with the index', () => measure(target))
    process.stdout.write(report(covered, without))
  }),
)

/**
 * Inserts rows in the order of their time, so that the rows of a user are scattered as in production, and a few users have
 * most of them. Triggers and foreign keys are disabled: they would take minutes and not change the rows.
 */
async function fill(client: pg.Client): Promise<void> {
  await client.query(`set statement_timeout = '10min'; set session_replication_role = replica; drop index ${index}`)
  await client.query(
    `insert into auth.users (id, email) select md5(n::text)::uuid, n || '@example.com' from generate_series(1, ${users}) as n`,
  )
  await client.query(`insert into apps (id, user_id, app_name) select id, id, 'App' from auth.users`)
  await client.query(`
    insert into generation_requests (id, user_id, app_id, app_name, prompt, mode)
    select n, md5(n::text)::uuid, md5(n::text)::uuid, 'App', 'a list of books', 'autonomous'
    from generate_series(1, ${users}) as n`)
  await client.query(`
    insert into generation_costs
      (user_id, app_id, generation_request_id, iteration_number, kind, model, input_tokens, output_tokens, cached_tokens,
       cost_micros, idempotency_key, created_at)
    select md5(n::text)::uuid, md5(n::text)::uuid, n, row % 10, 'tokens', 'vendor/model', row % 5000, row % 900, row % 20000,
           row % 100000, format('%s/%s', n, row), timestamptz '2026-01-01T00:00:00Z' + row * (interval '365 days' / ${rows})
    from (select row, 1 + floor(${users} * random() ^ 2)::integer as n from generate_series(0, ${rows - 1}) as row) as spent`)
  await client.query('vacuum analyze')
}

async function measure(target: Target): Promise<Measurements> {
  const ids = await withClient(target, async (client) => {
    const { rows: found } = await client.query<{ id: string }>('select id from auth.users')
    return found.map(({ id }) => id)
  })
  const randomUser = (): string => ids[randomInt(ids.length)] ?? ''
  const measured: Partial<Record<Query, Measurement>> = {}
  for (const name of queryNames) {
    const cold = await repeat(200, async () => withClient(target, (client) => time(client, randomUser(), queries[name])))
    const client = await connect(target)
    try {
      const warm = await repeat(2_000, () => time(client, randomUser(), queries[name]))
      measured[name] = { cold, warm: warm.slice(100), plan: await explain(client, randomUser(), queries[name]) }
    } finally {
      await client.end()
    }
  }
  return measured as Measurements
}

async function repeat(times: number, once: () => Promise<number>): Promise<number[]> {
  const until = performance.now() + timeLimit
  const taken: number[] = []
  while (taken.length < times && performance.now() < until) taken.push(await once())
  return taken
}

/** The time of the statement alone. The identity is set before. */
async function time(client: pg.Client, userId: string, sql: string): Promise<number> {
  await assumeUser(client, userId)
  const started = performance.now()
  await client.query(sql)
  const taken = performance.now() - started
  await client.query('rollback')
  return taken
}

async function explain(client: pg.Client, userId: string, sql: string): Promise<string> {
  await assumeUser(client, userId)
  const statement = `explain (analyze, costs off, timing off, summary off) ${sql}`
  const { rows: lines } = await client.query<{ 'QUERY PLAN': string }>(statement)
  await client.query('rollback')
  return lines.map((line) => line['QUERY PLAN']).join('\n')
}

async function assumeUser(client: pg.Client, userId: string): Promise<void> {
  await client.query('begin')
  await client.query(`select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)`, [
    JSON.stringify({ sub: userId }),
  ])
}

function report(covered: Measurements, without: Measurements): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`.padStart(10)
  const row = (name: string, times: readonly number[]): string => {
    const columns = [0.5, 0.95, 1].map((share) => ms(quantile(ascending(times), share)))
    return `  ${name.padEnd(24)}${columns.join('')}  n = ${times.length}`
  }
  const isIndexOnly = (plan: string): string => (/Index Only Scan/.test(plan) ? 'yes' : 'no')
  return queryNames
    .flatMap((name) => {
      const [withIndex, withoutIndex] = [covered[name], without[name]]
      const factor = (share: number): string =>
        `${(quantile(ascending(withoutIndex.warm), share) / quantile(ascending(withIndex.warm), share)).toFixed(1)}×`
      return [
        '',
        `${name.padEnd(26)}${['p50', 'p95', 'max'].map((title) => title.padStart(10)).join('')}`,
        row('with the index, cold', withIndex.cold),
        row('with the index, warm', withIndex.warm),
        row('without it, cold', withoutIndex.cold),
        row('without it, warm', withoutIndex.warm),
        `  without / with, warm: ${factor(0.5)} at p50, ${factor(0.95)} at p95`,
        `  Index Only Scan with the index: ${isIndexOnly(withIndex.plan)}, ` +
          `heap fetches ${/Heap Fetches: (\d+)/.exec(withIndex.plan)?.[1] ?? '–'}; without it: ${isIndexOnly(withoutIndex.plan)}`,
      ]
    })
    .concat('', 'cold: the first statement of a new connection. The pages are in memory in both cases.', '')
    .join('\n')
}

const ascending = (times: readonly number[]): number[] => times.toSorted((a, b) => a - b)
