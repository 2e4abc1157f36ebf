import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertRequest } from '../fixtures/rows.ts'
import { clusterAdmin, logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const userId = await db.signUp()
const otherId = await db.signUp()
const appId = await insertApp(db.owner, userId)
const worker = await db.login(logins.leo_worker)

interface Event {
  readonly from_status: string | null
  readonly to_status: string
  readonly actor: string
  readonly acting_user_id: string | null
  readonly iteration_number: number
  readonly reason: string | null
}

async function timeline(client: pg.Client, id: number): Promise<Event[]> {
  const { rows } = await client.query<Event>(
    `select from_status, to_status, actor, acting_user_id, iteration_number, reason
     from generation_events where generation_request_id = $1 order by id`,
    [id],
  )
  return rows
}
const lastOf = async (id: number): Promise<Event | undefined> => (await timeline(db.owner, id)).at(-1)

const change = (client: pg.Client, id: number, status: string): Promise<pg.QueryResult> =>
  client.query('update generation_requests set status = $2 where id = $1', [id, status])

/** Runs `work` after the settings of its transaction are made. */
async function saying<T>(client: pg.Client, settings: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    for (const entry of Object.entries(settings)) await client.query('select set_config($1, $2, true)', entry)
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}

t.test('a generation has one event for its arrival and one for each change of status, with who made it', async (t) => {
  const id = await db.as(user(userId), async (client) => {
    const { rows } = await client.query<{ id: number }>(
      `insert into generation_requests (user_id, app_id, prompt, mode) values ($1, $2, 'a list', 'autonomous') returning id`,
      [userId, appId],
    )
    return rows[0]!.id
  })
  await change(worker, id, 'generating')
  await worker.query('update generation_requests set current_iteration = 2 where id = $1', [id])
  await db.as(service, (client) => change(client, id, 'queued'))
  await db.as(user(userId), (client) => change(client, id, 'paused'))
  await change(db.owner, id, 'cancelled')
  const byUser = { actor: 'user', acting_user_id: userId, reason: null }
  const byService = { actor: 'service', acting_user_id: null, reason: null }
  t.strictSame(await timeline(db.owner, id), [
    { from_status: null, to_status: 'queued', ...byUser, iteration_number: 0 },
    { from_status: 'queued', to_status: 'generating', ...byService, iteration_number: 0 },
    { from_status: 'generating', to_status: 'queued', ...byService, iteration_number: 2 },
    { from_status: 'queued', to_status: 'paused', ...byUser, iteration_number: 2 },
    { from_status: 'paused', to_status: 'cancelled', actor: 'system', acting_user_id: null, reason: null, iteration_number: 2 },
  ])
})

t.test('what is no change of status, or is refused, leaves no event', async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  await change(db.owner, id, 'queued')
  await db.owner.query('update generation_requests set current_iteration = 1 where id = $1', [id])
  await t.rejects(change(db.owner, id, 'completed'), { code: 'LEO01' })
  t.equal((await timeline(db.owner, id)).length, 1)
  await change(db.owner, id, 'generating')
  t.equal((await timeline(db.owner, id)).length, 2, 'a change does')
})

t.test('one statement that changes several generations writes one event each', async (t) => {
  const ids = [await insertRequest(db.owner, userId, appId), await insertRequest(db.owner, userId, appId)]
  await db.as(service, (client) =>
    client.query(`update generation_requests set status = 'generating' where id = any ($1)`, [ids]),
  )
  for (const id of ids) t.match(await lastOf(id), { from_status: 'queued', to_status: 'generating' })
})

t.test('a superuser is the system, not a service', async (t) => {
  const admin = await db.login(clusterAdmin().user)
  const id = await insertRequest(db.owner, userId, appId)
  await admin.query(`update public.generation_requests set status = 'paused' where id = $1`, [id])
  t.match(await lastOf(id), { actor: 'system' })
})

t.test('a service names the person that it acts for; what names nobody is nobody', async (t) => {
  const named = async (setting: string): Promise<Event | undefined> => {
    const id = await insertRequest(db.owner, userId, appId)
    await saying(worker, { 'leo.acting_user': setting }, () => change(worker, id, 'generating'))
    return lastOf(id)
  }
  t.match(await named(otherId), { actor: 'service', acting_user_id: otherId })
  t.match(await named(otherId.toUpperCase()), { acting_user_id: otherId })
  for (const nonsense of ['', 'root', `${otherId} `, `${otherId}\n`, `{${otherId.slice(1)}`, 'x'.repeat(1_000_000), randomUUID()]) {
    t.match(await named(nonsense), { actor: 'service', acting_user_id: null }, nonsense.slice(0, 50))
  }
})

t.test('a signed-in user is nobody else, whatever the setting says', async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  await db.as(user(userId), async (client) => {
    await client.query(`select set_config('leo.acting_user', $1, true)`, [otherId])
    await change(client, id, 'paused')
  })
  t.match(await lastOf(id), { actor: 'user', acting_user_id: userId })
})

t.test('the reason is what the writer says, else the error message of a failure, 2000 characters of it', async (t) => {
  const failed = async (settings: Record<string, string>, message: string | null): Promise<unknown> => {
    const id = await insertRequest(db.owner, userId, appId, { status: 'generating' })
    await saying(worker, settings, () =>
      worker.query(`update generation_requests set status = 'failed', error_message = $2 where id = $1`, [id, message]),
    )
    return (await lastOf(id))?.reason
  }
  t.equal(await failed({}, 'out of memory'), 'out of memory')
  t.equal(await failed({ 'leo.reason': 'stopped by the operator' }, 'out of memory'), 'stopped by the operator')
  t.equal(await failed({ 'leo.reason': '' }, ''), null)
  t.equal(await failed({}, null), null)
  t.equal(await failed({}, '😀'.repeat(2_500_000)), '😀'.repeat(2000), 'ten megabytes are cut')

  const id = await insertRequest(db.owner, userId, appId, { status: 'failed', error_message: 'old' })
  await change(db.owner, id, 'queued')
  t.match(await lastOf(id), { to_status: 'queued', reason: null }, 'a retry does not repeat why it failed')
})

t.test('a user reads the timelines of their own generations', async (t) => {
  const id = await insertRequest(db.owner, userId, appId)
  t.equal((await db.as(user(userId), (client) => timeline(client, id))).length, 1)
  t.equal((await db.as(user(otherId), (client) => timeline(client, id))).length, 0)
  t.equal((await timeline(db.owner, id)).length, 1)
  await t.rejects(db.as({ role: 'anon' }, (client) => timeline(client, id)), { code: '42501' })
})

const byHand = [
  `insert into generation_events (user_id, generation_request_id, to_status, iteration_number, actor)
   select user_id, generation_request_id, 'paused', 0, 'system' from generation_events limit 1`,
  `update generation_events set reason = 'x'`,
  'delete from generation_events',
  'truncate generation_events',
]

t.test('nobody writes, changes or deletes an event by hand', async (t) => {
  for (const statement of byHand) {
    await t.rejects(db.as(user(userId), (client) => client.query(statement)), { code: '42501' }, `a user: ${statement}`)
    await t.rejects(db.as(service, (client) => client.query(statement)), { code: '42501' }, `service_role: ${statement}`)
    await t.rejects(worker.query(statement), { code: '42501' }, `leo_worker: ${statement}`)
    const { code } = await rolledBack(db.owner, () => outcomeOf(db.owner.query(statement)))
    t.equal(code, 'done', 'the statement itself is one that can be run')
  }
})

t.test('whoever acted is forgotten with their account, and the event stays', async (t) => {
  const helperId = await db.signUp()
  const id = await insertRequest(db.owner, userId, appId)
  await saying(worker, { 'leo.acting_user': helperId }, () => change(worker, id, 'generating'))
  t.match(await lastOf(id), { acting_user_id: helperId })
  const auth = await db.login('supabase_auth_admin')
  await auth.query('delete from auth.users where id = $1', [helperId])
  t.match(await lastOf(id), { to_status: 'generating', actor: 'service', acting_user_id: null })
})

t.test('a deletion writes nothing and takes the timeline along', async (t) => {
  const goneId = await db.signUp()
  const id = await insertRequest(db.owner, goneId, await insertApp(db.owner, goneId))
  await db.as(user(goneId), (client) => change(client, id, 'paused'))
  const before = await db.owner.query('select max(id) as id from generation_events')
  const auth = await db.login('supabase_auth_admin')
  await auth.query('delete from auth.users where id = $1', [goneId])
  t.strictSame(await timeline(db.owner, id), [])
  const { rows } = await db.owner.query(`select last_value as id from generation_events_id_seq`)
  t.strictSame(rows, before.rows, 'no event was even begun')
})

t.test('a change by a person who is being deleted neither waits nor fails', async (t) => {
  const leavingId = await db.signUp()
  const id = await insertRequest(db.owner, userId, appId)
  const auth = await db.login('supabase_auth_admin')
  await auth.query('begin')
  await auth.query('delete from auth.users where id = $1', [leavingId])
  await worker.query(`set lock_timeout = '1s'`)
  await saying(worker, { 'leo.acting_user': leavingId }, () => change(worker, id, 'generating'))
  await worker.query('reset lock_timeout')
  await auth.query('commit')
  t.match(await lastOf(id), { to_status: 'generating', acting_user_id: null })
})
