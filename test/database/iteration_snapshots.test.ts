import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { insertRow, insertSnapshot, insertTenant, only } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const own = await insertTenant(db)
const other = await insertTenant(db)

const reference = { user_id: own.userId, generation_request_id: own.requestId }
const add = async (client: pg.Client, columns: Row = {}): Promise<Row> => {
  const row = { ...reference, iteration_number: 1, snapshot_type: 'manual', ...columns }
  return only(await insertRow(client, 'iteration_snapshots', row, 'returning *'))
}

t.test('a user reads the snapshots of their own generations only', async (t) => {
  const all = 'select user_id from iteration_snapshots order by user_id'
  t.strictSame((await db.as(user(own.userId), (client) => client.query(all))).rows, [{ user_id: own.userId }])
  t.equal((await db.owner.query(all)).rowCount, 2, "there is another's too")
})

t.test('a service takes a snapshot, a user does not', async (t) => {
  await t.rejects(db.as(user(own.userId), (client) => add(client)), { code: '42501' })
  await t.resolves(db.tryAs(service, (client) => add(client)))
})

t.test('a snapshot is never changed or deleted by anyone who logs in', async (t) => {
  const worker = await db.login(logins.leo_worker)
  const update = `update iteration_snapshots set files_snapshot = '{}' where id = ${own.snapshotId}`
  const remove = `delete from iteration_snapshots where id = ${own.snapshotId}`
  for (const statement of [update, remove]) {
    await t.rejects(db.as(user(own.userId), (client) => client.query(statement)), { code: '42501' })
    await t.rejects(db.as(service, (client) => client.query(statement)), { code: '42501' })
    await t.rejects(worker.query(statement), { code: '42501' })
  }
  t.equal((await worker.query(`select from iteration_snapshots where id = ${own.snapshotId}`)).rowCount, 1)
})

t.test('a snapshot belongs to a generation of the same user', async (t) => {
  const refused = { code: '23503', constraint: 'iteration_snapshots_user_id_generation_request_id_fkey' }
  await t.rejects(db.as(service, (client) => add(client, { generation_request_id: other.requestId })), refused)
  await t.rejects(db.as(service, (client) => add(client, { user_id: other.userId })), refused)
})

t.test('an iteration is counted from 0 and may be saved more than once', async (t) => {
  for (const iteration_number of [0, 0, 1]) {
    await t.resolves(db.as(service, (client) => add(client, { iteration_number })), `iteration ${iteration_number}`)
  }
})

t.test('files are kept as they came, also what jsonb refuses', async (t) => {
  const files_snapshot = '{"a.txt":"\\u0000","a.txt":"\\ud800",  "b":1}'
  t.match(await db.as(service, (client) => add(client, { files_snapshot })), { files_snapshot })
  await t.rejects(db.owner.query('select $1::jsonb', [files_snapshot]), { code: '22P05' })
})

t.test('a snapshot is taken now unless it says when', async (t) => {
  const before = new Date()
  const { timestamp } = await db.as(service, (client) => add(client))
  t.ok(timestamp instanceof Date && timestamp >= before && timestamp <= new Date(), String(timestamp))
  const then = new Date('2026-01-01T00:00:00.123Z')
  t.strictSame((await db.as(service, (client) => add(client, { timestamp: then })))['timestamp'], then)
})

t.test('a snapshot goes with its generation', async (t) => {
  const gone = await insertTenant(db)
  await insertSnapshot(db.owner, gone.userId, gone.requestId, 2)
  const count = 'select from iteration_snapshots where user_id = any ($1)'
  const both = [[gone.userId, other.userId]]
  t.equal((await db.owner.query(count, both)).rowCount, 3)
  await db.as(service, (client) => client.query('delete from generation_requests where id = $1', [gone.requestId]))
  t.equal((await db.owner.query(count, both)).rowCount, 1)
})
