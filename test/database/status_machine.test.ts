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

/** Who can make a transition: `user` means users and services. `same` is not a transition. */
type Transition = 'user' | 'service' | 'none' | 'same'

const transitions: Readonly<Record<Status, readonly Transition[]>> = {
  // to:       queued     generating paused    completed  failed     cancelled
  queued:     ['same',    'service', 'user',   'none',    'none',    'user'],
  generating: ['service', 'same',    'user',   'service', 'service', 'user'],
  paused:     ['user',    'none',    'same',   'none',    'none',    'user'],
  completed:  ['none',    'none',    'none',   'same',    'none',    'none'],
  failed:     ['user',    'none',    'none',   'none',    'same',    'none'],
  cancelled:  ['none',    'none',    'none',   'none',    'none',    'same'],
}

const forUsers: Readonly<Record<Transition, string>> = { user: 'done', same: 'done', service: 'LEO02', none: 'LEO01' }
const forServices: Readonly<Record<Transition, string>> = { ...forUsers, service: 'done' }

/** A role that the schema does not know. It can update every row and `set role service_role`, but inherits no privilege. */
const unknownRole = `unknown_${randomBytes(6).toString('hex')}`
await db.owner.query(`
  create role ${unknownRole} noinherit;
  grant service_role to ${unknownRole};
  grant ${unknownRole} to postgres;
  grant usage on schema public to ${unknownRole};
  grant select, update on generation_requests to ${unknownRole};
  create policy all_unknown on generation_requests to ${unknownRole} using (true) with check (true)`)
t.teardown(() => db.owner.query(`drop owned by ${unknownRole}; drop role ${unknownRole}`))

const worker = await db.login(logins.leo_worker)

const change = (client: pg.Client, id: number, to: Status): Promise<pg.QueryResult<Record<string, unknown>>> =>
  client.query('update generation_requests set status = $2 where id = $1 returning *', [id, to])

const callers = [
  { name: 'a user', outcomes: forUsers, client: db.owner, setIdentity: () => assume(db.owner, user(userId)) },
  { name: 'an unknown role', outcomes: forUsers, client: db.owner, setIdentity: () => db.owner.query(`set role ${unknownRole}`) },
  { name: 'service_role', outcomes: forServices, client: db.owner, setIdentity: () => assume(db.owner, service) },
  { name: 'leo_worker', outcomes: forServices, client: worker, setIdentity: () => Promise.resolve() },
]

for (const { name, outcomes, client, setIdentity } of callers) {
  for (const from of statuses) {
    t.test(`${name} changes the status of a ${from} generation`, async (t) => {
      const id = await insertRequest(db.owner, userId, appId, { status: from })
      for (const [index, to] of statuses.entries()) {
        const outcome = await rolledBack(client, async () => {
          await setIdentity()
          return outcomeOf(change(client, id, to).then(only))
        })
        t.equal(outcome.code, outcomes[transitions[from][index] ?? 'none'], `to ${to}`)
      }
    })
  }
}

t.test('the error for an invalid transition has the table and the column', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { status: 'completed' })
  const where = { schema: 'public', table: 'generation_requests', column: 'status' }
  await t.rejects(change(db.owner, id, 'queued'), { code: 'LEO01', ...where })
})

t.test("a user cannot change the status of another user's generation", async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  const otherId = await db.signUp()
  const theirs = await db.as(user(otherId), (client) => change(client, id, 'paused'))
  t.equal(theirs.rowCount, 0)
  t.match(await read(id), { status: 'queued' })
  const own = await db.as(user(userId), (client) => change(client, id, 'paused'))
  t.equal(own.rowCount, 1, 'its owner can')
})

t.test('completed_at is set when a generation finishes and cleared when it is retried', async (t) => {
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

t.test('completed_at is not a value from the writer', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { status: 'generating' })
  const write = `update generation_requests set status = 'completed', completed_at = 'infinity' where id = $1`
  await db.as(service, (client) => client.query(write, [id]))
  t.type((await read(id))['completed_at'], Date)
})

t.test('completed_at is never before created_at, even if the clock was set back', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { created_at: '2999-01-01T00:00:00Z' })
  const { completed_at, created_at } = only(await db.as(user(userId), (client) => change(client, id, 'cancelled')))
  t.strictSame(completed_at, created_at)
})

t.test('attempt increases when a generation starts, and only then', async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  const changes = [
    ...[['generating', 1], ['queued', 1], ['paused', 1], ['queued', 1]],
    ...[['generating', 2], ['failed', 2], ['queued', 2], ['generating', 3], ['generating', 3], ['completed', 3]],
  ] as const
  for (const [to, attempt] of changes) {
    t.match(only(await db.as(service, (client) => change(client, id, to))), { attempt }, to)
  }
})

t.test('the worker that starts a generation cannot choose its attempt', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { attempt: 7 })
  const start = `update generation_requests set status = 'generating', attempt = 1 where id = $1`
  await db.as(service, (client) => client.query(start, [id]))
  t.match(await read(id), { attempt: 8 })
})

t.test('a user can retry a failed generation three times', async (t) => {
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
  t.match(await read(id), { status: 'queued', retry_count: 3 }, 'retries by a service do not count')
  await fail()
  await t.rejects(retry(), { code: 'LEO03' }, 'the limit of the user is still reached')
})

t.test('a resume does not count as a retry', async (t) => {
  const id = await insertRequest(db.owner, userId, appId, { retry_count: 3 })
  await db.as(user(userId), (client) => change(client, id, 'paused'))
  t.match(only(await db.as(user(userId), (client) => change(client, id, 'queued'))), { retry_count: 3 })
})

t.test('a resume or retry by the user moves the generation to the end of the queue', async (t) => {
  const early = new Date('2026-01-01T00:00:00Z')
  for (const status of ['paused', 'failed'] as const) {
    const id = await insertRequest(db.owner, userId, appId, { status, queue_at: early })
    const byService = await db.tryAs(service, (client) => change(client, id, 'queued'))
    t.strictSame(only(byService)['queue_at'], early, `${status}: a service keeps its position`)
    const back = () => db.as(user(userId), (client) => change(client, id, 'queued'))
    const last = only(await db.owner.query<Row>(`select max(queue_at) + interval '1 minute' as next from generation_requests where status = 'queued'`))
    t.strictSame(only(await back())['queue_at'], last['next'], `${status}: a user moves it behind their queued generations`)
    await db.owner.query(`update generation_requests set status = 'cancelled' where status = 'queued'`)
    const alone = await insertRequest(db.owner, userId, appId, { status, queue_at: early })
    const byUser = only(await db.as(user(userId), (client) => change(client, alone, 'queued')))
    t.strictSame(byUser['queue_at'], byUser['updated_at'], `${status}: without queued generations, queue_at is the current time`)
  }
})

async function read(id: number): Promise<Record<string, unknown>> {
  return only(await db.owner.query<Record<string, unknown>>('select * from generation_requests where id = $1', [id]))
}
