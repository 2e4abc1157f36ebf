import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { insertApp, insertCost, insertRequest, insertTenant, only } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const own = await insertTenant(db)
const other = await insertTenant(db)

const ofGeneration = { generation_request_id: own.requestId, iteration_number: 2 }
const add = (columns: Row = {}, userId = own.userId): Promise<string> =>
  db.as(service, (client) => insertCost(client, userId, columns))
const read = async (id: string): Promise<Row> =>
  only(await db.owner.query<Row>('select * from generation_costs where id = $1', [id]))

t.test('a user reads their own costs only', async (t) => {
  const all = 'select distinct user_id from generation_costs'
  t.strictSame((await db.as(user(own.userId), (client) => client.query(all))).rows, [{ user_id: own.userId }])
  t.equal((await db.owner.query(all)).rowCount, 2, "there are another's too")
})

t.test('a service adds a cost, a user does not', async (t) => {
  await t.rejects(db.as(user(own.userId), (client) => insertCost(client, own.userId)), { code: '42501' })
  const worker = await db.login(logins.leo_worker)
  await t.resolves(insertCost(worker, own.userId, { ...ofGeneration, cost_micros: 5 }))
})

t.test('nobody who logs in changes, deletes or truncates the ledger', async (t) => {
  const worker = await db.login(logins.leo_worker)
  const id = await add({ cost_micros: 7 })
  const columns = Object.keys(await read(id)).filter((column) => column !== 'month')
  const statements = [
    ...columns.map((column) => `update generation_costs set ${column} = ${column} where id = ${id}`),
    `delete from generation_costs where id = ${id}`,
    'truncate generation_costs',
    `insert into generation_costs (user_id, kind, idempotency_key)
     select user_id, kind, idempotency_key from generation_costs where id = ${id}
     on conflict (user_id, idempotency_key) do update set cost_micros = 0`,
  ]
  for (const statement of statements) {
    for (const persona of [{ role: 'anon' } as const, user(own.userId), service]) {
      await t.rejects(db.as(persona, (client) => client.query(statement)), { code: '42501' }, `${persona.role}: ${statement}`)
    }
    await t.rejects(worker.query(statement), { code: '42501' }, `leo_worker: ${statement}`)
  }
  t.match(await read(id), { cost_micros: '7' })
})

t.test('a cost is for the app of its generation, and no other', async (t) => {
  t.match(await read(await add(ofGeneration)), { app_id: own.appId })
  t.match(await read(await add({ ...ofGeneration, app_id: own.appId })), { app_id: own.appId })
  const second = await insertApp(db.owner, own.userId)
  for (const app_id of [second, other.appId, randomUUID()]) {
    await t.rejects(add({ ...ofGeneration, app_id }), { code: 'LEO18', column: 'app_id' })
  }
})

t.test('a cost without a generation is for an app of the user, or for none', async (t) => {
  t.match(await read(await add({ kind: 'storage', app_id: own.appId })), { app_id: own.appId, generation_request_id: null })
  t.match(await read(await add({ kind: 'other' })), { app_id: null })
  for (const app_id of [other.appId, randomUUID()]) await t.rejects(add({ app_id }), { code: 'LEO18' })
})

t.test("a cost of another user's generation is refused", async (t) => {
  const refused = { code: '23503', constraint: 'generation_costs_user_id_generation_request_id_fkey' }
  await t.rejects(add({ generation_request_id: other.requestId }), refused)
  await t.rejects(add({ generation_request_id: other.requestId, iteration_number: 1000 }), refused, 'whatever the iteration')
  await t.resolves(add({ generation_request_id: other.requestId }, other.userId))
})

t.test('an iteration is one that the generation can have', async (t) => {
  for (const iteration_number of [0, 10, null]) {
    await t.resolves(add({ ...ofGeneration, iteration_number }), `${iteration_number} of 10`)
  }
  await t.rejects(add({ ...ofGeneration, iteration_number: 11 }), { code: 'LEO17', column: 'iteration_number' })
  await t.rejects(add({ iteration_number: 1 }), { code: 'LEO17' }, 'and there is a generation')
  const constraint = 'generation_costs_iteration_number_not_negative_check'
  await t.rejects(add({ ...ofGeneration, iteration_number: -1 }), { code: '23514', constraint })
})

t.test('the same event costs once', async (t) => {
  const idempotency_key = 'step-1'
  await add({ idempotency_key, cost_micros: 3 })
  const taken = { code: '23505', constraint: 'generation_costs_user_id_idempotency_key_key' }
  await t.rejects(add({ idempotency_key, cost_micros: 3 }), taken)
  const again = `insert into generation_costs (user_id, kind, cost_micros, idempotency_key) values ($1, 'tokens', 3, $2)
    on conflict (user_id, idempotency_key) do nothing`
  const repeat = await db.as(service, (client) => client.query(again, [own.userId, idempotency_key]))
  t.equal(repeat.rowCount, 0, 'and a worker that is told twice need not fail')
  await t.resolves(add({ idempotency_key }, other.userId), 'the key is free for another user')
})

t.test('numbers are negative in a correction only', async (t) => {
  const refused = { code: '23514', constraint: 'generation_costs_negative_only_in_corrections_check' }
  const corrects_id = await add({ ...ofGeneration, cost_micros: 10 })
  for (const column of ['input_tokens', 'output_tokens', 'cached_tokens', 'compute_ms', 'cost_micros']) {
    await t.rejects(add({ [column]: -1 }), refused)
    await t.resolves(add({ [column]: -1, corrects_id }))
  }
})

t.test('a correction is for what the corrected row is for', async (t) => {
  const about = { ...ofGeneration, app_id: own.appId, kind: 'compute', model: 'vendor/model' }
  const corrects_id = await add({ ...about, cost_micros: 10 })
  t.match(await read(await add({ corrects_id, kind: null, cost_micros: -1 })), about, 'filled in where it is left out')
  await t.resolves(add({ ...about, corrects_id, cost_micros: -1 }), 'taken where it is the same')
  const elsewhere = await insertRequest(db.owner, own.userId, own.appId)
  const others: Row[] = [
    ...[{ app_id: randomUUID() }, { generation_request_id: elsewhere }, { iteration_number: 3 }],
    ...[{ kind: 'tokens' }, { model: 'vendor/other' }],
  ]
  for (const different of others) {
    await t.rejects(add({ ...about, ...different, corrects_id }), { code: 'LEO19', column: 'corrects_id' })
  }
})

t.test('a correction corrects another row, of the same user', async (t) => {
  const corrects_id = await add()
  const refused = { code: '23503', constraint: 'generation_costs_user_id_corrects_id_fkey' }
  await t.rejects(add({ corrects_id }, other.userId), refused)
  await t.rejects(add({ corrects_id: 999_999 }), refused)
  const itself = { id: 999_999, corrects_id: 999_999, cost_micros: -1 }
  await t.rejects(add(itself), { code: '23514', constraint: 'generation_costs_corrects_another_check' })
  await t.resolves(add({ corrects_id: await add({ corrects_id }) }), 'a correction can be corrected')
})

t.test('costs stay when generation and app go, and can still be corrected', async (t) => {
  const { userId, appId, requestId } = await insertTenant(db)
  const id = await add({ generation_request_id: requestId, iteration_number: 2, cost_micros: 10 }, userId)

  await db.as(service, (client) => client.query('delete from generation_requests where id = $1', [requestId]))
  const kept = { app_id: appId, generation_request_id: null, iteration_number: 2, cost_micros: '10' }
  t.match(await read(id), kept)
  await db.as(user(userId), (client) => client.query('delete from apps where id = $1', [appId]))
  t.match(await read(id), kept)
  t.match(await read(await add({ corrects_id: id, cost_micros: -10 }, userId)), { ...kept, cost_micros: '-10' })
  const rewritten = await db.owner.query('update generation_costs set model = model where user_id = $1', [userId])
  t.equal(rewritten.rowCount, 3, 'and they still satisfy every constraint')
})

t.test('costs go with their user, corrections too', async (t) => {
  const gone = await insertTenant(db)
  const corrects_id = await add({ generation_request_id: gone.requestId }, gone.userId)
  await add({ corrects_id: await add({ corrects_id }, gone.userId) }, gone.userId)
  const count = async (userId: string) =>
    (await db.owner.query('select from generation_costs where user_id = $1', [userId])).rowCount
  const before = await count(other.userId)
  t.equal(await count(gone.userId), 4)

  const auth = await db.login('supabase_auth_admin')
  t.equal((await auth.query('delete from auth.users where id = $1', [gone.userId])).rowCount, 1)
  t.equal(await count(gone.userId), 0)
  t.equal(await count(other.userId), before)
})

t.test('month is when the month began in UTC, wherever the session is', async (t) => {
  const months = [
    ['2026-01-31T23:59:59.999999Z', '2026-01-01T00:00:00.000Z'],
    ['2026-02-01T00:00:00Z', '2026-02-01T00:00:00.000Z'],
    ['2026-02-01T12:30:00+14:00', '2026-01-01T00:00:00.000Z'],
    ['2024-02-29T12:00:00-12:00', '2024-03-01T00:00:00.000Z'],
  ] as const
  for (const zone of ['UTC', 'Pacific/Auckland', 'America/Los_Angeles']) {
    for (const [created_at, month] of months) {
      const found = await db.tryAs(service, async (client) => {
        await client.query(`set local timezone = '${zone}'`)
        const id = await insertCost(client, own.userId, { created_at })
        return only(await client.query<{ month: Date }>('select month from generation_costs where id = $1', [id])).month
      })
      t.equal(found.toISOString(), month, `${created_at} in ${zone}`)
    }
  }
  const write = (client: pg.Client) => insertCost(client, own.userId, { month: '2026-01-01' })
  await t.rejects(db.as(service, write), { code: '428C9' }, 'and nobody says otherwise')
})
