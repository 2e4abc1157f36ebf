import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { insertApp, insertRequest, only } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const ownId = await db.signUp()
const otherId = await db.signUp()
const readName = async (id: string): Promise<unknown> =>
  only(await db.owner.query<{ app_name: string }>('select app_name from apps where id = $1', [id])).app_name

const rename = (client: pg.Client, id: string, name: string): Promise<pg.QueryResult> =>
  client.query('update apps set app_name = $2 where id = $1', [id, name])
const remove = (client: pg.Client, id: string): Promise<pg.QueryResult> =>
  client.query('delete from apps where id = $1', [id])

t.test('a user makes, reads, renames and deletes their own app', async (t) => {
  const id = await db.as(user(ownId), (client) => insertApp(client, ownId, 'Books'))
  const select = 'select user_id, app_name from apps where id = $1'
  const read = await db.as(user(ownId), (client) => client.query(select, [id]))
  t.strictSame(read.rows, [{ user_id: ownId, app_name: 'Books' }])
  t.equal((await db.as(user(ownId), (client) => rename(client, id, 'Films'))).rowCount, 1)
  t.equal(await readName(id), 'Films')
  t.equal((await db.as(user(ownId), (client) => remove(client, id))).rowCount, 1)
  t.equal((await db.owner.query('select from apps where id = $1', [id])).rowCount, 0)
})

t.test("another user's app is not there to read, rename or delete", async (t) => {
  const id = await insertApp(db.owner, otherId, 'Theirs')
  const read = (client: pg.Client) => client.query('select id from apps where id = $1', [id])
  t.equal((await db.as(user(ownId), read)).rowCount, 0)
  t.equal((await db.as(user(ownId), (client) => rename(client, id, 'Mine'))).rowCount, 0)
  t.equal((await db.as(user(ownId), (client) => remove(client, id))).rowCount, 0)
  t.equal((await read(db.owner)).rowCount, 1)
  t.equal(await readName(id), 'Theirs')
  t.equal((await db.tryAs(user(otherId), (client) => remove(client, id))).rowCount, 1, 'its owner could')
})

t.test('nobody makes an app in the name of another user', async (t) => {
  await t.rejects(db.as(user(ownId), (client) => insertApp(client, otherId)), { code: '42501' })
  await t.rejects(db.as({ role: 'authenticated' }, (client) => insertApp(client, ownId)), { code: '42501' })
  await t.resolves(db.as(service, (client) => insertApp(client, otherId)), 'but a service')
})

t.test('a user hands no app to another and chooses no id', async (t) => {
  const id = await insertApp(db.owner, ownId)
  const handOver = (client: pg.Client) => client.query('update apps set user_id = $2 where id = $1', [id, otherId])
  await t.rejects(db.as(user(ownId), handOver), { code: '42501' })
  t.equal((await db.tryAs(service, handOver)).rowCount, 1, 'a service does, while nothing hangs off the app')
  const choose = `insert into apps (id, user_id, app_name) values (gen_random_uuid(), $1, 'Chosen')`
  await t.rejects(db.as(user(ownId), (client) => client.query(choose, [ownId])), { code: '42501' })
  t.equal((await db.tryAs(service, (client) => client.query(choose, [ownId]))).rowCount, 1)
})

t.test('an app with generations is handed to nobody, not even by a service', async (t) => {
  const id = await insertApp(db.owner, ownId)
  await insertRequest(db.owner, ownId, id)
  const handOver = db.as(service, (client) => client.query('update apps set user_id = $2 where id = $1', [id, otherId]))
  await t.rejects(handOver, { code: '23503', constraint: 'generation_requests_user_id_app_id_fkey' })
})

t.test('a name is unique among the apps of one user, and only there', async (t) => {
  await insertApp(db.owner, ownId, 'Notes')
  const taken = { code: '23505', constraint: 'apps_user_id_app_name_key' }
  await t.rejects(db.as(user(ownId), (client) => insertApp(client, ownId, 'Notes')), taken)
  const second = await insertApp(db.owner, ownId, 'Notes 2')
  await t.rejects(db.as(user(ownId), (client) => rename(client, second, 'Notes')), taken, 'by renaming neither')
  await t.resolves(db.as(user(otherId), (client) => insertApp(client, otherId, 'Notes')))
})

t.test('a name is kept as it was written', async (t) => {
  const name = '  Café \u200d👩‍💻 '
  t.equal(await readName(await db.as(user(ownId), (client) => insertApp(client, ownId, name))), name)
})
