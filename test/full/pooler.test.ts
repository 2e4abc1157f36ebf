import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { asUser, createClient, createPool, LeoError, parseUserId } from '../../db/index.ts'
import type { DB, UserTransaction } from '../../db/index.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { startPooler } from '../fixtures/pooler.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { insertApp } from '../fixtures/rows.ts'
import { loginTo, logins } from '../fixtures/server.ts'

/** `asUser` through PgBouncer in transaction mode: few server connections, many users, and everything that can go wrong. */
const test = await createMigratedDatabase(t)
const config = await startPooler(t, loginTo(test.name, logins.leo_api), 3)
const users = await Promise.all(Array.from({ length: 20 }, async () => parseUserId(await test.signUp())))
for (const user of users) await insertApp(test.owner, user, `App of ${user}`)

const pool = createPool({ ...config, max: 20 })
t.teardown(() => pool.end())
const db = createClient(pool)
const outside = (db: Kysely<DB>) => db.selectFrom('apps').select('id').execute()

t.test('3,000 calls of 20 users, a third of them failing, see their own rows only and leave nothing behind', async (t) => {
  const random = numbersFrom(Number(process.env['SEED'] ?? 1))
  const seen = { own: 0, others: 0, outside: 0, failed: 0 }
  const failures: ((trx: UserTransaction) => Promise<unknown>)[] = [
    () => Promise.reject(new Error('thrown')),
    (trx) => sql`select 1/0`.execute(trx),
    (trx) => sql`select pg_sleep(1)`.execute(trx),
    (trx) => sql`select 1/0`.execute(trx).catch(() => undefined),
    (trx) => sql`select pg_cancel_backend(pg_backend_pid()), pg_sleep(1)`.execute(trx),
    (trx) => trx.deleteFrom('deployment_config').execute(),
  ]
  async function call(index: number): Promise<void> {
    const user = users[Math.floor(random() * users.length)]!
    const failure = index % 3 === 0 ? failures[Math.floor(random() * failures.length)] : undefined
    const work = asUser(
      db,
      user,
      async (trx) => {
        for (const { user_id } of await trx.selectFrom('apps').select('user_id').execute()) seen[user_id === user ? 'own' : 'others'] += 1
        await failure?.(trx)
      },
      { timeoutMs: failure === undefined ? 10_000 : 30 },
    )
    if (failure !== undefined) await work.then(() => t.fail('it did not fail'), () => (seen.failed += 1))
    else await work
    if (index % 5 === 0) seen.outside += await outside(db).then((rows) => rows.length, (error) => (error instanceof LeoError && error.code === 'access_denied' ? 0 : 1))
  }
  const tasks = Array.from({ length: 3000 }, (_, index) => index)
  await Promise.all(Array.from({ length: 20 }, async () => {
    for (let index = tasks.pop(); index !== undefined; index = tasks.pop()) await call(index)
  }))
  t.strictSame(seen, { own: 3000, others: 0, outside: 0, failed: 1000 })
  t.equal(pool.totalCount - pool.idleCount, 0, 'every connection is back')
})

t.test('an identity of the session, as it is often written, does leak there: the proof can fail', async (t) => {
  const naive = async (user: string) => {
    const client = new pg.Client(config)
    await client.connect()
    await client.query(`set role authenticated`)
    await client.query(`select set_config('request.jwt.claims', $1, false)`, [JSON.stringify({ sub: user, role: 'authenticated' })])
    await client.end()
  }
  await naive(users[0]!)
  const leaks = await Promise.all(Array.from({ length: 10 }, () => outside(db).then((rows) => rows.length, () => 0)))
  t.ok(leaks.some((rows) => rows > 0))
})

t.test('and what others left in a connection changes nothing for asUser', async (t) => {
  const mine = await asUser(db, users[1]!, (trx) => trx.selectFrom('apps').select('user_id').execute())
  t.strictSame(mine, [{ user_id: users[1] }])
  await t.rejects(asUser(db, 'x' as never, outside), { code: 'invalid_id' })
})
