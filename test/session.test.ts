import pg from 'pg'
import t from 'tap'
import { apps, asUser, createClient } from '../db/index.ts'
import { createTestDatabase } from './fixtures/database.ts'
import { insertApp } from './fixtures/rows.ts'
import { loginTo, logins } from './fixtures/server.ts'

const test = await createTestDatabase(t)
// One connection, so that whatever leaked would meet the next caller.
const pool = new pg.Pool({ ...loginTo(test.name, logins.leo_api).pg, max: 1 })
const db = createClient(pool)
t.teardown(() => pool.end())

const ada = await test.signUp()
const grace = await test.signUp()
await insertApp(test.owner, ada, 'Books')
await insertApp(test.owner, grace, 'Films')

t.test('asUser sees the rows of that user and no other', async (t) => {
  t.match(await asUser(db, ada, (trx) => apps.list(trx)), [{ app_name: 'Books' }])
  t.match(await asUser(db, grace, (trx) => apps.list(trx)), [{ app_name: 'Films' }])
  t.equal((await test.owner.query('select from apps')).rowCount, 2, 'though both are there')
})

t.test('outside of it a service of leo_api reads nothing, not even after it, and not after an error in it', async (t) => {
  await t.rejects(apps.list(db), { code: '42501' })
  await asUser(db, ada, (trx) => apps.list(trx))
  await t.rejects(apps.list(db), { code: '42501' })
  await t.rejects(asUser(db, ada, (trx) => trx.deleteFrom('deployment_config').execute()), { code: '42501' })
  await t.rejects(apps.list(db), { code: '42501' })
})

t.test('an id that is no UUID is refused before any query', async (t) => {
  for (const id of ['', 'ada', `${ada} `, `${ada}'`, '{"sub":1}']) {
    await t.rejects(asUser(db, id, () => t.fail('ran') as never), { name: 'InvalidUserIdError', code: 'invalid_user_id' })
  }
})

t.test('what the callback throws rolls its writes back', async (t) => {
  const failing = asUser(db, ada, async (trx) => {
    await trx.insertInto('apps').values({ user_id: ada, app_name: 'Lost' }).execute()
    throw new Error('no')
  })
  await t.rejects(failing, { message: 'no' })
  t.match(await asUser(db, ada, (trx) => apps.list(trx)), [{ app_name: 'Books' }])
})

t.test('apps.list gives the newest first and no more than asked', async (t) => {
  const user = await test.signUp()
  for (const name of ['one', 'two', 'three']) await insertApp(test.owner, user, name)
  const names = (limit?: number) => asUser(db, user, async (trx) => (await apps.list(trx, limit)).map((app) => app.app_name))
  t.strictSame(await names(), ['three', 'two', 'one'])
  t.strictSame(await names(2), ['three', 'two'])
})
