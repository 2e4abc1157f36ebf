import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { sql } from 'kysely'
import t from 'tap'
import { asUser, checkSchema, inTransaction, schemaVersion } from '../../db/index.ts'
import { createTestDatabase, startTestServer } from '../../db/testing/index.ts'
import { assertGone, spawnConsumer, start, stay } from './fixtures/testing.ts'

const started = performance.now()
const server = await startTestServer()
const db = await createTestDatabase(server)
t.comment(`the first database was there after ${(performance.now() - started).toFixed(0)} ms`)
t.teardown(() => server.stop())

t.test('a database has the schema, and a client for each login', async (t) => {
  const [ada, grace] = [await db.signUp(), await db.signUp()]
  await db.owner.insertInto('apps').values({ user_id: ada, app_name: 'Notes' }).execute()
  await db.owner.insertInto('deployment_config').values({ key: 'region', value: 'eu' }).execute()

  for (const client of [db.owner, db.api, db.worker]) t.equal(await checkSchema(client), schemaVersion)
  const names = (userId: typeof ada) =>
    asUser(db.api, userId, (trx) => trx.selectFrom('apps').select('app_name').execute())
  t.strictSame(await names(ada), [{ app_name: 'Notes' }])
  t.strictSame(await names(grace), [])
  await t.rejects(db.api.selectFrom('apps').select('id').execute(), { code: 'access_denied' })

  t.strictSame(await db.worker.selectFrom('apps').select('app_name').execute(), [{ app_name: 'Notes' }])
  t.strictSame(
    await inTransaction(db.worker, (trx) => trx.selectFrom('deployment_config').select('key').execute()),
    [{ key: 'region' }],
  )
  await t.rejects(sql`select from auth.users`.execute(db.worker), { code: 'access_denied' })
})

t.test('databases are isolated, and are dropped while connections exist', async (t) => {
  const before = performance.now()
  await using other = await createTestDatabase({ url: server.url })
  t.comment(`the next one after ${(performance.now() - before).toFixed(0)} ms`)
  await other.signUp()
  const users = async (of: typeof db) => (await sql`select from auth.users`.execute(of.owner)).rows.length
  t.equal(await users(other), 1)
  t.not(await users(db), 1)

  const gone = await createTestDatabase(server)
  await gone.worker.selectFrom('apps').select('id').execute()
  await Promise.all([gone.drop(), gone.drop()])
  const { rows } = await sql`select from pg_database where datname = ${gone.name}`.execute(db.owner)
  t.strictSame(rows, [])
})

t.test('a service under test and another process log in by URL', async (t) => {
  const script = `const db = await testing.createTestDatabase({ url: process.env.SERVER })
    await db.signUp(); console.log(new URL(db.urls.api).username, new URL(db.urls.worker).username); await db.drop()`
  const child = spawnConsumer(script, { SERVER: server.url })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  t.equal(line.toString(), 'leo_test_api leo_test_worker\n')
  t.strictSame(await once(child, 'exit'), [0, null])
})

t.test('a server and its data are removed when the process that started it is killed', async (t) => {
  await assertGone(t, `${start}; ${stay}`, (pid) => process.kill(pid, 'SIGKILL'))
})
