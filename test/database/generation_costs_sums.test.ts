import { randomInt } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertCost, insertRequest, insertRow, insertTenant, only } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)

/** What the rows of each view are told apart by. */
const views: Readonly<Record<string, readonly string[]>> = {
  generation_costs_by_iteration: ['user_id', 'app_id', 'generation_request_id', 'iteration_number'],
  generation_costs_by_generation: ['user_id', 'app_id', 'generation_request_id'],
  generation_costs_by_app: ['user_id', 'app_id'],
  generation_costs_by_user: ['user_id'],
  generation_costs_by_month: ['user_id', 'month'],
}
const numbers = ['input_tokens', 'output_tokens', 'cached_tokens', 'compute_ms', 'cost_micros']
const sums = ['entries', 'tokens', ...numbers]

/** Sums by key, as text: `user,app: entries tokens …`. */
type Sums = readonly string[]

const sumsOf = (groups: Map<string, readonly bigint[]>): Sums =>
  [...groups].map(([key, values]) => `${key}: ${values.join(' ')}`).sort()

const keyOf = (row: Row, keys: readonly string[]): string =>
  keys.map((key) => (row[key] instanceof Date ? row[key].toISOString() : String(row[key]))).join()

/** What is in the ledger, added up here. */
async function expectedSums(client: pg.Client, keys: readonly string[]): Promise<Sums> {
  const { rows } = await client.query<Row>('select * from generation_costs')
  const groups = new Map<string, bigint[]>()
  for (const row of rows) {
    const [input = 0n, output = 0n, cached = 0n, ...others] = numbers.map((name) => BigInt(String(row[name])))
    const added = [1n, input + output + cached, input, output, cached, ...others]
    const sum = groups.get(keyOf(row, keys)) ?? added.map(() => 0n)
    groups.set(keyOf(row, keys), sum.map((value, index) => value + (added[index] ?? 0n)))
  }
  return sumsOf(groups)
}

async function viewedSums(client: pg.Client, view: string, keys: readonly string[]): Promise<Sums> {
  const { rows } = await client.query<Row>(`select * from ${view}`)
  const ledger = rows.filter(({ source }) => source !== 'snapshots')
  return sumsOf(new Map(ledger.map((row) => [keyOf(row, keys), sums.map((name) => BigInt(String(row[name])))])))
}

/** Random costs and corrections of a new user, some of a generation and an app that are deleted since. */
async function spend(): Promise<string> {
  const userId = await db.signUp()
  const apps = [await insertApp(db.owner, userId), await insertApp(db.owner, userId)]
  const generations: { id: number; appId: string }[] = []
  for (const appId of [...apps, ...apps]) generations.push({ appId, id: await insertRequest(db.owner, userId, appId) })

  const costs = Array.from({ length: 150 }, (_, index): Row => {
    const corrected = index > 20 && randomInt(4) === 0 ? 1 + randomInt(20) : undefined
    const generation = generations[randomInt(generations.length + 1)]
    const low = corrected === undefined ? 0 : -1_000_000_000_000
    return {
      corrected,
      kind: 'tokens',
      ...(corrected === undefined && generation && { generation_request_id: generation.id, iteration_number: randomInt(4) }),
      ...Object.fromEntries(numbers.map((name) => [name, low + randomInt(10 ** (1 + randomInt(12)))])),
      idempotency_key: `${index}`,
      created_at: new Date(Date.UTC(2026, randomInt(14), 1) - 1 + randomInt(3)),
    }
  })
  const ids: string[] = []
  await db.as(service, async (client) => {
    for (const { corrected, ...row } of costs) {
      const correction = corrected === undefined ? {} : { corrects_id: ids[Number(corrected)], kind: null }
      ids.push(await insertCost(client, userId, { ...row, ...correction }))
    }
  })
  await db.as(service, async (client) => {
    await client.query('delete from generation_requests where id = $1', [generations[0]?.id])
    await client.query('delete from apps where id = $1', [apps[1]])
  })
  return userId
}

const spenders = [await spend(), await spend()]

for (const [view, keys] of Object.entries(views)) {
  t.test(`${view} adds up to the ledger, to the last micro-dollar`, async (t) => {
    t.strictSame(await viewedSums(db.owner, view, keys), await expectedSums(db.owner, keys))
    const total = async (from: string) =>
      (await db.owner.query(`select user_id, sum(cost_micros) from ${from} group by user_id order by user_id`)).rows
    t.strictSame(await total(view), await total('generation_costs'))
    t.equal((await total(view)).length, spenders.length)
  })

  t.test(`${view} shows a user their own costs, a service all, anon none`, async (t) => {
    const [userId = ''] = spenders
    const owners = async (client: pg.Client) => (await client.query(`select distinct user_id from ${view}`)).rows
    t.strictSame(await db.as(user(userId), owners), [{ user_id: userId }])
    t.strictSame(await db.as({ role: 'authenticated' }, owners), [])
    t.equal((await db.as(service, owners)).length, spenders.length)
    await t.rejects(db.as({ role: 'anon' }, owners), { code: '42501' })
    const ofUser = await db.as(user(userId), (client) => viewedSums(client, view, keys))
    t.strictSame(ofUser, (await expectedSums(db.owner, keys)).filter((sum) => sum.startsWith(userId)))
  })
}

t.test('a view that leaves something out is noticed', async (t) => {
  const keys = ['user_id', 'app_id']
  const found = await rolledBack(db.owner, async () => {
    await db.owner.query(`
      create view oops as
      select user_id, app_id, count(*) as entries, sum(input_tokens + output_tokens + cached_tokens) as tokens,
        ${numbers.map((name) => `sum(${name}) as ${name}`).join(', ')}
      from generation_costs where corrects_id is null group by user_id, app_id`)
    return viewedSums(db.owner, 'oops', keys)
  })
  t.strictNotSame(found, await expectedSums(db.owner, keys))
})

t.test("a user's sum per month is read from an index alone, one month by its key", async (t) => {
  const explain = async (client: pg.Client, condition: string) => {
    await client.query('set local enable_seqscan = off; set local enable_bitmapscan = off')
    const statement = `explain (costs off) select * from generation_costs_by_month where ${condition}`
    return (await client.query<{ 'QUERY PLAN': string }>(statement)).rows.map((row) => row['QUERY PLAN']).join('\n')
  }
  const [userId = ''] = spenders
  const month = `month = '2026-02-01T00:00:00Z'`
  for (const plan of [
    await db.as(user(userId), (client) => explain(client, month)),
    await db.as(service, (client) => explain(client, `user_id = '${userId}' and ${month}`)),
  ]) {
    t.match(plan, /Index Only Scan using generation_costs_user_id_month_idx/)
    t.match(plan, /Index Cond: \(\(user_id = .*\) AND \(month = /)
  }
})

/** Saves an iteration with this metadata; says what the roll-ups make of the generation. */
async function history(...snapshots: Row[]) {
  const { userId, appId } = await insertTenant(db)
  const requestId = await insertRequest(db.owner, userId, appId)
  for (const snapshot of snapshots) {
    const row = { user_id: userId, generation_request_id: requestId, iteration_number: 1, snapshot_type: 'automatic' }
    await insertRow(db.owner, 'iteration_snapshots', { ...row, ...snapshot })
  }
  const look = async (view: string): Promise<Row[]> => {
    const select = `select * from ${view} where generation_request_id = $1 order by to_jsonb(${view}) ->> 'iteration_number'`
    return (await db.as(user(userId), (client) => client.query<Row>(select, [requestId]))).rows
  }
  return {
    userId,
    requestId,
    iterations: () => look('generation_costs_by_iteration'),
    generations: () => look('generation_costs_by_generation'),
  }
}

t.test('a generation older than the ledger shows what its snapshots tell, at no cost', async (t) => {
  const { iterations, generations } = await history(
    { iteration_number: 1, metadata: { tokens: 100, duration_ms: 5, changed_files: ['a'] } },
    { iteration_number: 2, metadata: { tokens: 50, duration: 7 } },
    { iteration_number: 3, metadata: { duration_ms: 0 } },
    { iteration_number: 4, metadata: {} },
    { iteration_number: 5, metadata: null },
  )
  const unknown = { input_tokens: null, output_tokens: null, cached_tokens: null }
  const told = { ...unknown, source: 'snapshots', entries: '0', cost_micros: '0' }
  t.match(await iterations(), [
    { ...told, iteration_number: 1, tokens: '100', compute_ms: '5' },
    { ...told, iteration_number: 2, tokens: '50', compute_ms: '7' },
    { ...told, iteration_number: 3, tokens: null, compute_ms: '0' },
  ])
  t.equal((await iterations()).length, 3, 'and nothing of iterations of which they tell nothing')
  t.match(await generations(), [{ ...told, tokens: '150', compute_ms: '12' }])
})

t.test('an iteration that was saved more than once counts once', async (t) => {
  const { iterations } = await history(
    { metadata: { tokens: 100, duration_ms: 5 } },
    { metadata: { tokens: 100, duration_ms: 9 }, snapshot_type: 'manual' },
  )
  t.match(await iterations(), [{ tokens: '100', compute_ms: '9' }])
})

t.test('once the ledger has a row of the generation, it alone speaks', async (t) => {
  const { userId, requestId, iterations, generations } = await history({ metadata: { tokens: 100 } })
  t.match(await generations(), [{ source: 'snapshots', tokens: '100' }])
  await insertCost(db.owner, userId, { generation_request_id: requestId, iteration_number: 2, input_tokens: 3, cost_micros: 4 })
  t.match(await generations(), [{ source: 'ledger', entries: '1', tokens: '3', cost_micros: '4' }])
  t.match(await iterations(), [{ source: 'ledger', iteration_number: 2 }])
  t.equal((await generations()).length + (await iterations()).length, 2)
})

t.test('odd metadata is ignored and never an error', async (t) => {
  const odd = [
    ...['"100"', '""', '"1e5"', 'null', 'true', '-1', '-0.5', '1.5', '0.1', '1e400', '-1e400', '1000000000001', '1e131071'],
    ...['[100]', '[]', '[[100]]', '{}', '{"tokens":100}', '{"total":{"tokens":1}}', '"\\ud83d\\ude00"'],
  ]
  for (const value of odd) {
    const metadata = `{"tokens":${value},"duration_ms":${value},"duration":${value}}`
    const { iterations, generations } = await history({ metadata })
    t.strictSame([await iterations(), await generations()], [[], []], value)
  }
  for (const value of ['100', '100.0', '1e2']) {
    const { generations } = await history({ metadata: `{"tokens":${value},"duration_ms":"x","duration":${value}}` })
    t.match(await generations(), [{ tokens: '100', compute_ms: '100' }], `${value} is a whole number`)
  }
})

t.test("another user's history is not shown", async (t) => {
  const { requestId } = await history({ metadata: { tokens: 100 } })
  const stranger = await db.signUp()
  for (const view of ['generation_costs_by_iteration', 'generation_costs_by_generation']) {
    const look = `select tokens from ${view} where generation_request_id = ${requestId}`
    t.strictSame((await db.as(user(stranger), (client) => client.query(look))).rows, [])
    t.match(only(await db.owner.query<Row>(look)), { tokens: '100' })
  }
})
