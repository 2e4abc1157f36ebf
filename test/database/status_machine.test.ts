import { randomBytes } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertRequest, only } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const userId = await db.signUp()
const appId = await insertApp(db.owner, userId)

const statuses = ['queued', 'generating', 'paused', 'completed', 'failed', 'cancelled'] as const
type Status = (typeof statuses)[number]

/** Who may make the move: the user and services, services only, nobody. Staying is no move. */
type Move = 'user' | 'service' | 'nobody' | 'stay'

const matrix: Readonly<Record<Status, readonly Move[]>> = {
  // to:       queued     generating paused    completed  failed     cancelled
  queued:     ['stay',    'service', 'user',   'nobody',  'nobody',  'user'],
  generating: ['service', 'stay',    'user',   'service', 'service', 'user'],
  paused:     ['user',    'nobody',  'stay',   'nobody',  'nobody',  'user'],
  completed:  ['nobody',  'nobody',  'nobody', 'stay',    'nobody',  'nobody'],
  failed:     ['user',    'nobody',  'nobody', 'nobody',  'stay',    'nobody'],
  cancelled:  ['nobody',  'nobody',  'nobody', 'nobody',  'nobody',  'stay'],
}

const asUsers: Readonly<Record<Move, string>> = { user: 'done', stay: 'done', service: 'LEO02', nobody: 'LEO01' }
const asServices: Readonly<Record<Move, string>> = { ...asUsers, service: 'done' }

/** A role nobody thought of: it may update every row and become service_role, but has none of its rights. */
const stranger = `stranger_${randomBytes(6).toString('hex')}`
await db.owner.query(`
  create role ${stranger} noinherit;
  grant service_role to ${stranger};
  grant ${stranger} to postgres;
  grant usage on schema public to ${stranger};
  grant select, update on generation_requests to ${stranger};
  create policy all_stranger on generation_requests to ${stranger} using (true) with check (true)`)
t.teardown(() => db.owner.query(`drop owned by ${stranger}; drop role ${stranger}`))

const worker = await db.login(logins.leo_worker)

const change = (client: pg.Client, id: number, to: Status): Promise<pg.QueryResult<Record<string, unknown>>> =>
  client.query('update generation_requests set status = $2 where id = $1 returning *', [id, to])

const callers = [
  { name: 'a user', verdicts: asUsers, client: db.owner, become: () => assume(db.owner, user(userId)) },
  { name: 'a stranger', verdicts: asUsers, client: db.owner, become: () => db.owner.query(`set role ${stranger}`) },
  { name: 'service_role', verdicts: asServices, client: db.owner, become: () => assume(db.owner, service) },
  { name: 'leo_worker', verdicts: asServices, client: worker, become: () => Promise.resolve() },
]

for (const { name, verdicts, client, become } of callers) {
  for (const from of statuses) {
    t.test(`${name} moves a ${from} generation`, async (t) => {
      const id = await insertRequest(db.owner, userId, appId, { status: from })
      for (const [index, to] of statuses.entries()) {
        const outcome = await rolledBack(client, async () => {
          await become()
          return outcomeOf(change(client, id, to).then(only))
        })
        t.equal(outcome.code, verdicts[matrix[from][index] ?? 'nobody'], `to ${to}`)
      }
    })
  }
}

t.test('a refusal names table and column', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { status: 'completed' })
  const where = { schema: 'public', table: 'generation_requests', column: 'status' }
  await t.rejects(change(db.owner, id, 'queued'), { code: 'LEO01', ...where })
})

t.test('another user finds no generation to move', async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  const otherId = await db.signUp()
  const theirs = await db.as(user(otherId), (client) => change(client, id, 'paused'))
  t.equal(theirs.rowCount, 0)
  t.match(await read(id), { status: 'queued' })
  const own = await db.as(user(userId), (client) => change(client, id, 'paused'))
  t.equal(own.rowCount, 1, 'its own user does')
})

t.test('completed_at is set when a generation finishes and cleared when it is tried again', async (t) => {
  for (const to of ['completed', 'failed', 'cancelled'] as const) {
    const id = await insertRequest(db.owner, userId, appId, { status: 'generating' })
    t.match(await read(id), { completed_at: null })
    const { completed_at, updated_at } = only(await db.as(service, (client) => change(client, id, to)))
    t.strictSame(completed_at, updated_at, `${to}: now`)
  }
  const id = await insertRequest(db.owner, userId, appId, { status: 'failed' })
  t.type((await read(id))['completed_at'], Date)
  t.match(only(await db.as(user(userId), (client) => change(client, id, 'queued'))), { completed_at: null })
})

t.test('completed_at does not depend on what the writer says', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { status: 'generating' })
  const write = `update generation_requests set status = 'completed', completed_at = 'infinity' where id = $1`
  await db.as(service, (client) => client.query(write, [id]))
  t.type((await read(id))['completed_at'], Date)
})

t.test('completed_at is never before created_at, even when the clock was set back', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { created_at: '2999-01-01T00:00:00Z' })
  const { completed_at, created_at } = only(await db.as(user(userId), (client) => change(client, id, 'cancelled')))
  t.strictSame(completed_at, created_at)
})

t.test('attempt rises whenever a generation is taken, and only then', async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  const moves = [
    ...[['generating', 1], ['queued', 1], ['paused', 1], ['queued', 1]],
    ...[['generating', 2], ['failed', 2], ['queued', 2], ['generating', 3], ['generating', 3], ['completed', 3]],
  ] as const
  for (const [to, attempt] of moves) {
    t.match(only(await db.as(service, (client) => change(client, id, to))), { attempt }, to)
  }
})

t.test('attempt cannot be chosen by the one who takes a generation', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { attempt: 7 })
  const take = `update generation_requests set status = 'generating', attempt = 1 where id = $1`
  await db.as(service, (client) => client.query(take, [id]))
  t.match(await read(id), { attempt: 8 })
})

t.test('a user retries a failed generation three times', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { status: 'failed' })
  const retry = () => db.as(user(userId), (client) => change(client, id, 'queued'))
  const fail = async () => {
    for (const to of ['generating', 'failed'] as const) await db.as(service, (client) => change(client, id, to))
  }
  for (const retry_count of [1, 2, 3]) {
    t.match(only(await retry()), { retry_count })
    await fail()
  }
  await t.rejects(retry(), { code: 'LEO03' })
  t.match(await read(id), { status: 'failed', retry_count: 3 })

  await db.as(service, (client) => change(client, id, 'queued'))
  t.match(await read(id), { status: 'queued', retry_count: 3 }, 'a service as often as it wants, uncounted')
  await fail()
  await t.rejects(retry(), { code: 'LEO03' }, 'which gives the user no new one')
})

t.test('pausing and resuming is not a retry', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { retry_count: 3 })
  await db.as(user(userId), (client) => change(client, id, 'paused'))
  t.match(only(await db.as(user(userId), (client) => change(client, id, 'queued'))), { retry_count: 3 })
})

t.test('who comes back to the queue by their own will stands at its end', async (t) => {
  const early = new Date('2026-01-01T00:00:00Z')
  for (const status of ['paused', 'failed'] as const) {
    const id = await insertRequest(db.owner, userId, appId, { status, queue_at: early })
    const byService = await db.tryAs(service, (client) => change(client, id, 'queued'))
    t.strictSame(only(byService)['queue_at'], early, `${status}: a service leaves it where it was`)
    const back = () => db.as(user(userId), (client) => change(client, id, 'queued'))
    const last = only(await db.owner.query<Row>(`select max(queue_at) + interval '1 minute' as next from generation_requests where status = 'queued'`))
    t.strictSame(only(await back())['queue_at'], last['next'], `${status}: a user goes behind what they have queued`)
    await db.owner.query(`update generation_requests set status = 'cancelled' where status = 'queued'`)
    const alone = await insertRequest(db.owner, userId, appId, { status, queue_at: early })
    const byUser = only(await db.as(user(userId), (client) => change(client, alone, 'queued')))
    t.strictSame(byUser['queue_at'], byUser['updated_at'], `${status}: where there is nothing, to the end of all`)
  }
})

async function read(id: number): Promise<Record<string, unknown>> {
  return only(await db.owner.query<Record<string, unknown>>('select * from generation_requests where id = $1', [id]))
}
