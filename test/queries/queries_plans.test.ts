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
import { createTestDatabase } from '../fixtures/database.ts'
import { clusterAdmin, loginTo, logins } from '../fixtures/server.ts'

/** What a user's own rows cost to read must not depend on everybody else's. */
const rows = 20_000
const users = 100

const test = await createTestDatabase(t)
const pool = createPool({ ...loginTo(test.name, logins.leo_api).pg, max: 1 })
t.teardown(() => pool.end())
const sent: CompiledQuery[] = []
const db = createClient(pool, { log: ({ query }) => void sent.push(query) })

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const uuid = (n: string): string => `('00000000-0000-4000-8000-' || lpad((${n})::text, 12, '0'))::uuid`
/** Has a hundredth of everything; the other one was here once, at the beginning. */
const busy = parseUserId(idOf(1))
const rare = parseUserId(idOf(0))
const user = `case when n = 1 then 0 else n % ${users} + 1 end`
const owner = uuid(user)

await withClient(clusterAdmin(test.name), async (client) => {
  // Without triggers and foreign keys, which are not what is asked about.
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
  // Each user has one generation with many rows; users differ.
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

/** How the server ran the last statement of `work`, as that user. */
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

const said = (nodes: readonly Node[]): string =>
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
  t.test(`${name} reads the rows of its page and no others, on every page and for every user`, async (t) => {
    const { next } = await asUser(db, busy, (trx) => list(trx, busy, { limit }))
    t.ok(next)
    for (const [userId, cursor] of [
      [busy, null],
      [busy, next],
      [rare, null],
    ] as const) {
      const nodes = await planOf(userId, (trx) => list(trx, userId, { limit, cursor }))
      t.ok(readBy(nodes) <= limit + 1 && !scans(nodes), said(nodes))
    }
  })
}

for (const [name, list] of Object.entries(ofGeneration)) {
  // PostgreSQL takes user and generation for independent, expects next to nothing, and may sort what there is.
  t.test(`${name} reads rows of its generation only`, async (t) => {
    const { next } = await asUser(db, busy, (trx) => list(trx, busy, { limit }))
    t.ok(next)
    for (const [userId, cursor] of [
      [busy, null],
      [busy, next],
      [rare, null],
    ] as const) {
      const nodes = await planOf(userId, (trx) => list(trx, userId, { limit, cursor }))
      t.ok(readBy(nodes) <= rows / users && !scans(nodes), said(nodes))
    }
  })
}

t.test('what is asked for by its id, or as the latest, reads a row of each table', async (t) => {
  const of = { user_id: busy, generation_request_id }
  const single: Record<string, (trx: UserTransaction) => Promise<unknown>> = {
    'apps.find': (trx) => apps.find(trx, parseAppId(idOf(100))),
    'snapshots.find': (trx) => snapshots.find(trx, { user_id: busy, snapshot_id: parseSnapshotId(100) }),
    'schema_snapshots.find': (trx) => schema_snapshots.find(trx, { user_id: busy, id: 100n }),
    'snapshots.findResumePoint': (trx) => snapshots.findResumePoint(trx, of),
  }
  for (const [name, work] of Object.entries(single)) {
    const nodes = await planOf(busy, work)
    t.ok(nodes[0]!['Actual Rows'] === 1 && readBy(nodes) <= 1, `${name}: ${said(nodes)}`)
  }
})

t.test('a plan that reads more is noticed', async (t) => {
  const byRef = (trx: UserTransaction) =>
    trx.selectFrom('apps').select('id').orderBy('supabase_project_ref').limit(limit).execute()
  t.ok(readBy(await planOf(busy, byRef)) > limit + 1)
})
