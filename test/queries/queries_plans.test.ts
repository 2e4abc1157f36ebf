import { CompiledQuery } from 'kysely'
import t from 'tap'
import {
  activity,
  apps,
  asUser,
  costs,
  createClient,
  createPool,
  events,
  parseAppId,
  parseGenerationId,
  parseSnapshotId,
  parseUserId,
  schema_snapshots,
  snapshots,
} from '../../db/index.ts'
import type { Page, UserId, UserTransaction } from '../../db/index.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { clusterAdmin, loginTo, logins } from '../fixtures/server.ts'

/** The cost of reading a user's rows must not depend on the rows of other users. */
const rows = 20_000
const users = 100

const test = await createMigratedDatabase(t)
const pool = createPool({ ...loginTo(test.name, logins.leo_api).pg, max: 1 })
t.teardown(() => pool.end())
const sent: CompiledQuery[] = []
const db = createClient(pool, { log: ({ query }) => void sent.push(query) })

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const uuid = (n: string): string => `('00000000-0000-4000-8000-' || lpad((${n})::text, 12, '0'))::uuid`
/** `busy` has a hundredth of all rows, `rare` has the first row of each table. */
const busy = parseUserId(idOf(1))
const rare = parseUserId(idOf(0))
const user = `case when n = 1 then 0 else n % ${users} + 1 end`
const owner = uuid(user)

await withClient(clusterAdmin(test.name), async (client) => {
  // Disables triggers and foreign keys, which are not tested here.
  await client.query(`set session_replication_role = replica`)
  const fill = (table: string, columns: string, values: string) =>
    client.query(`insert into ${table} (${columns}) select ${values} from generate_series(1, ${rows}) as n`)
  await fill(
    'apps',
    'id, user_id, app_name, created_at',
    `${uuid('n')}, ${owner}, n::text, now() + n * interval '1 microsecond'`,
  )
  const appId = uuid(`n % ${users} + n / 1000 * ${users}`)
  await fill(
    'generation_requests',
    'id, user_id, app_id, app_name, prompt, mode',
    `n, ${owner}, ${appId}, 'App', 'p', 'autonomous'`,
  )
  // Each user has one generation with many rows.
  const one = `user_id, generation_request_id`
  await fill(
    'generation_events',
    `${one}, to_status, iteration_number, actor`,
    `${owner}, ${user}, 'queued', 0, 'user'`,
  )
  await fill(
    'iteration_snapshots',
    `${one}, iteration_number, snapshot_type, files_snapshot`,
    `${owner}, ${user}, n / ${users}, 'manual', '{}'`,
  )
  await fill('schema_snapshots', `${one}, iteration_number, tables, ddl`, `${owner}, ${user}, n, '{}', ''`)
  await fill('generation_costs', `${one}, kind, idempotency_key`, `${owner}, ${user}, 'other', n::text`)
  const when = `now() + n * interval '1 microsecond'`
  await fill(
    'user_activity_log',
    'user_id, action, object_type, object_id, created_at',
    `${owner}, 'create', 'app', 'x', ${when}`,
  )
  await client.query('vacuum analyze')
})

interface Node {
  readonly 'Node Type': string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly Node[]
}
const nodesOf = (node: Node): readonly Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)]

/** The executed plan of the last statement of `work`, run as that user. */
const planOf = (userId: UserId, work: (trx: UserTransaction) => Promise<unknown>) =>
  asUser(db, userId, async (trx) => {
    await work(trx)
    const { sql, parameters } = sent.at(-1)!
    const explain = `explain (analyze, timing off, format json) ${sql}`
    const explained = await trx.executeQuery<{ 'QUERY PLAN': [{ Plan: Node }] }>(
      CompiledQuery.raw(explain, [...parameters]),
    )
    return nodesOf(explained.rows[0]!['QUERY PLAN'][0].Plan)
  })

const summary = (nodes: readonly Node[]): string =>
  nodes.map((node) => `${node['Node Type']}: ${node['Actual Rows']}`).join(', ')
const scans = (nodes: readonly Node[]): boolean => nodes.some((node) => node['Node Type'] === 'Seq Scan')
const readBy = (nodes: readonly Node[]): number =>
  Math.max(...nodes.map((node) => (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']))

type List = (trx: UserTransaction, user_id: UserId, page: Page) => Promise<{ next: string | null }>

const limit = 5
const ofUser: Record<string, List> = {
  'apps.list': (trx, _, page) => apps.list(trx, page),
  'events.list': (trx, user_id, page) => events.list(trx, { user_id, ...page }),
  'costs.listEntries': (trx, user_id, page) => costs.listEntries(trx, { user_id, ...page }),
  'activity.list': (trx, user_id, page) => activity.list(trx, { user_id, ...page }),
}
const generation_request_id = parseGenerationId(1)
const ofGeneration: Record<string, List> = {
  'events.listOfGeneration': (trx, user_id, page) =>
    events.listOfGeneration(trx, { user_id, generation_request_id, ...page }),
  'snapshots.list': (trx, user_id, page) => snapshots.list(trx, { user_id, generation_request_id, ...page }),
  'schema_snapshots.list': (trx, user_id, page) =>
    schema_snapshots.list(trx, { user_id, generation_request_id, ...page }),
}

for (const [name, list] of Object.entries(ofUser)) {
  t.test(`${name} reads only the rows of its page`, async (t) => {
    const { next } = await asUser(db, busy, (trx) => list(trx, busy, { limit }))
    t.ok(next)
    for (const [userId, cursor] of [
      [busy, null],
      [busy, next],
      [rare, null],
    ] as const) {
      const nodes = await planOf(userId, (trx) => list(trx, userId, { limit, cursor }))
      t.ok(readBy(nodes) <= limit + 1 && !scans(nodes), summary(nodes))
    }
  })
}

for (const [name, list] of Object.entries(ofGeneration)) {
  // PostgreSQL assumes that user and generation are independent, underestimates the rows, and may sort them.
  t.test(`${name} reads only the rows of its generation`, async (t) => {
    const { next } = await asUser(db, busy, (trx) => list(trx, busy, { limit }))
    t.ok(next)
    for (const [userId, cursor] of [
      [busy, null],
      [busy, next],
      [rare, null],
    ] as const) {
      const nodes = await planOf(userId, (trx) => list(trx, userId, { limit, cursor }))
      t.ok(readBy(nodes) <= rows / users && !scans(nodes), summary(nodes))
    }
  })
}

t.test('a query by id, or for the latest row, reads one row of each table', async (t) => {
  const generation = { user_id: busy, generation_request_id }
  const single: Record<string, (trx: UserTransaction) => Promise<unknown>> = {
    'apps.find': (trx) => apps.find(trx, parseAppId(idOf(100))),
    'snapshots.find': (trx) => snapshots.find(trx, { user_id: busy, snapshot_id: parseSnapshotId(100) }),
    'schema_snapshots.find': (trx) => schema_snapshots.find(trx, { user_id: busy, id: 100n }),
    'snapshots.findResumePoint': (trx) => snapshots.findResumePoint(trx, generation),
  }
  for (const [name, work] of Object.entries(single)) {
    const nodes = await planOf(busy, work)
    t.ok(nodes[0]!['Actual Rows'] === 1 && readBy(nodes) <= 1, `${name}: ${summary(nodes)}`)
  }
})

t.test('a plan that reads more rows is detected', async (t) => {
  const byRef = (trx: UserTransaction) =>
    trx.selectFrom('apps').select('id').orderBy('supabase_project_ref').limit(limit).execute()
  t.ok(readBy(await planOf(busy, byRef)) > limit + 1)
})
