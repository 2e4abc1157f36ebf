import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { waitUntilBlocked, outcomeOf } from '../fixtures/probe.ts'
import { insertApp, insertLease, insertRequest, insertSnapshot, only } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const queueLimit = 20

interface Owner {
  readonly userId: string
  readonly appId: string
}

/** A new user with an app and that many queued generations. */
async function newUser({ queued = 0 } = {}): Promise<Owner> {
  const userId = await db.signUp()
  const appId = await insertApp(db.owner, userId)
  for (let count = 0; count < queued; count += 1) await insertRequest(db.owner, userId, appId)
  return { userId, appId }
}

const enqueue = (client: pg.Client, owner: Owner, columns: Row = {}): Promise<number> =>
  insertRequest(client, owner.userId, owner.appId, columns)

const read = async (id: number): Promise<Record<string, unknown>> =>
  only(await db.owner.query<Record<string, unknown>>('select * from generation_requests where id = $1', [id]))

const countQueued = async (userId: string): Promise<number> => {
  const count = `select count(*)::int as n from generation_requests where user_id = $1 and status = 'queued'`
  return only(await db.owner.query<{ n: number }>(count, [userId])).n
}

const setStatus = (client: pg.Client, id: number, to: string): Promise<unknown> =>
  client.query('update generation_requests set status = $2 where id = $1', [id, to])

t.test('a user enqueues a generation of their own app', async (t) => {
  const own = await newUser()
  await db.owner.query(`update apps set app_name = 'Books' where id = $1`, [own.appId])
  const id = await db.as(user(own.userId), (client) => enqueue(client, own))
  t.match(await read(id), {
    ...{ user_id: own.userId, app_id: own.appId, app_name: 'Books', status: 'queued', generation_type: 'new' },
    ...{ max_iterations: 10, current_iteration: 0, attempt: 0, retry_count: 0, priority: 0, completed_at: null },
  })
})

t.test('a generation keeps the name of its app at the time of the insert', async (t) => {
  const own = await newUser()
  const { app_name } = only(await db.owner.query<Row>('select app_name from apps where id = $1', [own.appId]))
  const id = await enqueue(db.owner, own)
  await db.as(user(own.userId), (client) =>
    client.query(`update apps set app_name = 'Renamed' where id = $1`, [own.appId]),
  )
  t.match(await read(id), { app_name })
  t.match(await read(await enqueue(db.owner, own)), { app_name: 'Renamed' }, 'a later generation has the new name')
  t.match(await read(await enqueue(db.owner, own, { app_name: 'Mine' })), { app_name: 'Mine' }, 'an explicit name is kept')
})

t.test("a user cannot enqueue a generation of another user's app", async (t) => {
  const own = await newUser()
  const other = await newUser()
  const mixed = { userId: own.userId, appId: other.appId }
  const refused = { code: '23503', constraint: 'generation_requests_user_id_app_id_fkey' }
  await t.rejects(db.as(user(own.userId), (client) => enqueue(client, mixed)), refused)
  await t.rejects(db.as(service, (client) => enqueue(client, mixed)), refused)
  await t.rejects(db.as(user(own.userId), (client) => enqueue(client, other)), { code: '42501' }, 'also not as the other user')
  await t.resolves(db.as(user(other.userId), (client) => enqueue(client, other)))
})

t.test('an app that does not exist violates the foreign key, not the check of the name', async (t) => {
  const { userId } = await newUser()
  const insert = db.as(user(userId), (client) => enqueue(client, { userId, appId: randomUUID() }))
  await t.rejects(insert, { code: '23503', constraint: 'generation_requests_user_id_app_id_fkey' })
})

t.test('a user reads their own generations only', async (t) => {
  const own = await newUser({ queued: 2 })
  const other = await newUser({ queued: 1 })
  const select = 'select id from generation_requests where user_id = any ($1)'
  const both = [[own.userId, other.userId]]
  t.equal((await db.as(user(own.userId), (client) => client.query(select, both))).rowCount, 2)
  t.equal((await db.owner.query(select, both)).rowCount, 3)
})

t.test('a user has at most 20 queued generations', async (t) => {
  const own = await newUser({ queued: queueLimit - 1 })
  const asOwn = user(own.userId)
  const paused = await enqueue(db.owner, own, { status: 'paused' })
  const failed = await enqueue(db.owner, own, { status: 'failed' })
  const last = await db.as(asOwn, (client) => enqueue(client, own))
  const full = { code: 'LEO04', table: 'generation_requests', column: 'status' }

  await t.rejects(db.as(asOwn, (client) => enqueue(client, own)), full, 'enqueued')
  await t.rejects(db.as(asOwn, (client) => setStatus(client, paused, 'queued')), full, 'resumed')
  await t.rejects(db.as(asOwn, (client) => setStatus(client, failed, 'queued')), full, 'retried')
  t.equal(await countQueued(own.userId), queueLimit)

  await t.resolves(db.as(asOwn, (client) => setStatus(client, last, 'cancelled')), 'a full queue allows a cancellation')
  await t.resolves(db.as(asOwn, (client) => setStatus(client, paused, 'queued')), 'the cancellation allows another generation')
  const other = await newUser()
  await t.resolves(db.as(user(other.userId), (client) => enqueue(client, other)), 'the limit is per user')
  await t.resolves(db.as(service, (client) => enqueue(client, own)), 'services have no limit')
  t.equal(await countQueued(own.userId), queueLimit + 1)
})

t.test('a single statement cannot exceed the limit', async (t) => {
  const own = await newUser()
  const many = `
    insert into generation_requests (user_id, app_id, prompt, mode)
    select $1::uuid, $2::uuid, 'x', 'autonomous' from generate_series(1, $3)`
  const insertMany = (count: number) =>
    db.as(user(own.userId), (client) => client.query(many, [own.userId, own.appId, count]))
  await t.rejects(insertMany(queueLimit + 1), { code: 'LEO04' })
  t.equal((await insertMany(queueLimit)).rowCount, queueLimit)
})

t.test('a user cannot find out whether the queue of another user is full', async (t) => {
  const own = await newUser()
  const full = await newUser({ queued: queueLimit })
  const empty = await newUser()
  const attempt = (other: Owner) => outcomeOf(db.as(user(own.userId), (client) => enqueue(client, other)))
  t.match(await attempt(empty), { code: '42501' })
  t.match(await attempt(full), { code: '42501' })
})

for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
  t.test(`two concurrent transactions cannot exceed the limit, ${isolation}`, async (t) => {
    const own = await newUser({ queued: queueLimit - 1 })
    const [first, second] = [await db.login(logins.leo_api), await db.login(logins.leo_api)]
    for (const client of [first, second]) {
      await client.query(`begin isolation level ${isolation}`)
      await assume(client, user(own.userId))
      await client.query('select count(*) from generation_requests')
    }
    const early = await outcomeOf(enqueue(first, own))
    const late = outcomeOf(enqueue(second, own).then(() => second.query('commit')))
    await waitUntilBlocked(db.owner, second, late)
    await first.query('commit')
    t.notMatch([early, await late], [{ code: 'done' }, { code: 'done' }])
    await second.query('rollback')
    t.ok((await countQueued(own.userId)) <= queueLimit)
  })
}

t.test('a waiting transaction can enqueue after the other one rolls back', async (t) => {
  const own = await newUser({ queued: queueLimit - 1 })
  const [first, second] = [await db.login(logins.leo_api), await db.login(logins.leo_api)]
  for (const client of [first, second]) {
    await client.query('begin')
    await assume(client, user(own.userId))
  }
  await enqueue(first, own)
  const late = enqueue(second, own)
  await waitUntilBlocked(db.owner, second, late)
  await first.query('rollback')
  await t.resolves(late)
  await second.query('commit')
  t.equal(await countQueued(own.userId), queueLimit)
})

t.test('two connections that enqueue concurrently reach the limit and do not exceed it', async (t) => {
  const own = await newUser()
  const fillQueue = async () => {
    const client = await db.login(logins.leo_api)
    const codes: string[] = []
    for (let count = 0; count < queueLimit; count += 1) {
      await client.query('begin')
      await assume(client, user(own.userId))
      codes.push((await outcomeOf(enqueue(client, own))).code)
      await client.query('commit')
    }
    return codes
  }
  const codes = (await Promise.all([fillQueue(), fillQueue()])).flat()
  t.equal(codes.filter((code) => code === 'done').length, queueLimit)
  t.equal(codes.filter((code) => code === 'LEO04').length, queueLimit)
  t.equal(await countQueued(own.userId), queueLimit)
})

t.test('a user can request at most 100 iterations', async (t) => {
  const own = await newUser()
  const request = (max_iterations: number) => (client: pg.Client) => enqueue(client, own, { max_iterations })
  await t.rejects(db.as(user(own.userId), request(101)), { code: 'LEO05', column: 'max_iterations' })
  await t.resolves(db.as(user(own.userId), request(100)))
  await t.resolves(db.as(service, request(101)), 'services have no limit')
})

t.test('id, user_id, app_id, app_name and created_at of a generation cannot change', async (t) => {
  const own = await newUser()
  const other = await newUser()
  const secondApp = await insertApp(db.owner, own.userId)
  const id = await enqueue(db.owner, own)
  const changes: Row = { id: 1_000_000, user_id: other.userId, app_id: secondApp, app_name: 'x', created_at: 'epoch' }
  for (const [column, value] of Object.entries(changes)) {
    const update = (client: pg.Client) =>
      client.query(`update generation_requests set ${column} = $2 where id = $1`, [id, value])
    await t.rejects(db.as(service, update), { code: 'LEO06' }, column)
    await t.rejects(update(db.owner), { code: 'LEO06' }, `${column}, by the owner`)
    const same = `update generation_requests set ${column} = ${column} where id = $1`
    await t.resolves(db.as(service, (client) => client.query(same, [id])), `${column} set to itself`)
  }
})

t.test('an idempotency key is unique for each user', async (t) => {
  const own = await newUser()
  const other = await newUser()
  const key = { idempotency_key: 'click-1' }
  await db.as(user(own.userId), (client) => enqueue(client, own, key))
  const taken = { code: '23505', constraint: 'generation_requests_user_id_idempotency_key_key' }
  await t.rejects(db.as(user(own.userId), (client) => enqueue(client, own, key)), taken)
  await t.resolves(db.as(user(own.userId), (client) => enqueue(client, own, { idempotency_key: 'click-2' })))
  await t.resolves(db.as(user(other.userId), (client) => enqueue(client, other, key)), 'another user can use it too')
  for (const _ of [1, 2]) await t.resolves(db.as(user(own.userId), (client) => enqueue(client, own)), 'null is not a key')
})

t.test('updated_at is the time of the change, not a value from the writer', async (t) => {
  const own = await newUser()
  const id = await enqueue(db.owner, own, { updated_at: '2026-01-01T00:00:00Z' })
  const before = new Date()
  await db.as(service, (client) =>
    client.query(`update generation_requests set updated_at = 'epoch', current_iteration = 1 where id = $1`, [id]),
  )
  const { updated_at } = await read(id)
  t.ok(updated_at instanceof Date && updated_at >= before && updated_at <= new Date(), String(updated_at))
})

t.test('a generation that is inserted as finished gets a completed_at', async (t) => {
  const own = await newUser()
  for (const status of ['completed', 'failed', 'cancelled']) {
    const id = await db.as(service, (client) => enqueue(client, own, { status }))
    const { completed_at, created_at } = await read(id)
    t.strictSame(completed_at, created_at, status)
  }
  const [created_at, completed_at] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-02T00:00:00Z')]
  const id = await enqueue(db.owner, own, { status: 'completed', created_at, completed_at })
  t.strictSame((await read(id))['completed_at'], completed_at, 'an explicit completed_at is kept')
  t.match(await read(await enqueue(db.owner, own)), { completed_at: null }, 'a queued generation has none')
})

t.test('deleting an app deletes its generations, their snapshots and leases', async (t) => {
  const own = await newUser()
  const keptApp = await insertApp(db.owner, own.userId)
  const [gone, kept] = [await enqueue(db.owner, own), await enqueue(db.owner, { ...own, appId: keptApp })]
  for (const id of [gone, kept]) {
    await insertSnapshot(db.owner, own.userId, id)
    await insertLease(db.owner, own.userId, id)
  }
  await db.as(user(own.userId), (client) => client.query('delete from apps where id = $1', [own.appId]))
  for (const [table, column] of [
    ['generation_requests', 'id'],
    ['iteration_snapshots', 'generation_request_id'],
    ['private.generation_leases', 'generation_request_id'],
  ] as const) {
    const left = await db.owner.query<Row>(`select ${column} as id from ${table} where user_id = $1`, [own.userId])
    t.strictSame(left.rows, [{ id: kept }], table)
  }
})
