import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { PostgresPool } from 'kysely'
import pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import { asUser, createClient, createPool, createServiceClient, inTransaction, parseUserId } from '../../db/index.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { startProxy } from '../fixtures/proxy.ts'
import { loginTo, logins } from '../fixtures/server.ts'

const test = await createMigratedDatabase(t)
const ada = parseUserId(await test.signUp())
const api = loginTo(test.name, logins.leo_api)

const poolOf = (t: Test, config: pg.PoolConfig = {}): pg.Pool => {
  const pool = createPool({ ...api.pg, max: 1, ...config })
  t.teardown(() => pool.end())
  return pool
}
const appsOf = async () => (await test.owner.query<{ app_name: string }>('select app_name from apps order by app_name')).rows.map((r) => r.app_name)
const insertApp = (app_name: string) => (trx: Parameters<Parameters<typeof asUser>[2]>[0]) =>
  trx.insertInto('apps').values({ user_id: ada, app_name }).execute()

t.test('a server that does not answer is connection_failed, safe to repeat', async (t) => {
  const db = createClient(poolOf(t, { port: 1 }))
  await t.rejects(asUser(db, ada, insertApp('x')), { name: 'ConnectionError', code: 'connection_failed', isRetrySafe: true })
})

t.test('the error of a wrong password does not contain the password', async (t) => {
  const db = createClient(poolOf(t, { password: 'hunter2-not-it' }))
  const error = await asUser(db, ada, insertApp('x')).catch((error: Error) => error as Error & { code: string })
  t.match(error, { name: 'QueryError', sqlstate: '28P01' })
  t.notMatch(String((error as Error).stack), 'hunter2')
})

t.test('an exhausted pool is pool_exhausted, and has a free connection again when a transaction ends', async (t) => {
  const pool = poolOf(t, { connectionTimeoutMillis: 500 })
  const db = createClient(pool)
  await asUser(db, ada, async () => {
    await t.rejects(asUser(db, ada, insertApp('x')), { name: 'ConnectionError', code: 'pool_exhausted', isRetrySafe: true })
  })
  await t.resolves(asUser(db, ada, (trx) => sql`select`.execute(trx)))
  t.equal(pool.totalCount, 1)
})

t.test('a connection that is lost in a transaction, between queries or during one, commits no row, and the pool recovers', async (t) => {
  const proxy = await startProxy(t, api)
  const pool = poolOf(t, { port: proxy.port })
  const db = createClient(pool)
  const lost = { name: 'ConnectionError', code: 'connection_lost', isRetrySafe: true }
  const between = asUser(db, ada, async (trx) => {
    await insertApp('Cut')(trx)
    proxy.cut()
    await sleep(20)
    return insertApp('Cut 2')(trx)
  })
  await t.rejects(between, lost)
  const inside = asUser(db, ada, async (trx) => {
    await insertApp('Cut')(trx)
    setTimeout(() => proxy.cut(), 20)
    return sql`select pg_sleep(2)`.execute(trx)
  })
  await t.rejects(inside, lost)
  await asUser(db, ada, insertApp('Whole'))
  t.strictSame(await appsOf(), ['Whole'])
  t.equal(pool.totalCount, 1)
  t.equal(pool.idleCount, 1)
})

t.test('a commit without an answer is not safe to repeat', async (t) => {
  const proxy = await startProxy(t, api)
  const db = createClient(poolOf(t, { port: proxy.port }))
  const unanswered = asUser(db, ada, async (trx) => {
    await insertApp('Committed')(trx)
    proxy.cutAtNextAnswer()
  })
  await t.rejects(unanswered, { name: 'ConnectionError', code: 'connection_lost', isRetrySafe: false })
  t.strictSame(await appsOf(), ['Committed', 'Whole'], 'the commit of this test succeeded')
  await t.resolves(asUser(db, ada, (trx) => sql`select`.execute(trx)))
})

t.test('a statement outside a transaction without an answer is not safe to repeat', async (t) => {
  const target = loginTo(test.name, logins.leo_worker)
  const proxy = await startProxy(t, target)
  const db = createServiceClient(poolOf(t, { ...target.pg, port: proxy.port }))
  await sql`select`.execute(db)
  proxy.cutAtNextAnswer()
  const insert = db.insertInto('apps').values({ user_id: ada, app_name: 'Alone' }).execute()
  await t.rejects(insert, { name: 'ConnectionError', code: 'connection_lost', isRetrySafe: false })
  t.ok((await appsOf()).includes('Alone'))
})

t.test('a backend that an administrator terminates, idle or active, is replaced', async (t) => {
  const pool = poolOf(t)
  const db = createClient(pool)
  const pid = () => asUser(db, ada, async (trx) => (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)).rows[0]!.pid)
  const end = (pid: number) => test.owner.query('select pg_terminate_backend($1, 1000)', [pid])
  const first = await pid()
  await end(first)
  await sleep(20)
  const second = await pid()
  t.not(second, first)
  const lost = { name: 'ConnectionError', code: 'connection_lost', sqlstate: '57P01', isRetrySafe: true }
  const working = t.rejects(asUser(db, ada, (trx) => sql`select pg_sleep(2)`.execute(trx)), lost)
  await sleep(20)
  await end(second)
  await working
  t.not(await pid(), second)
})

t.test('deadlocks, lock timeouts and serialization failures have codes of their own, and are safe to repeat', async (t) => {
  const db = createServiceClient(poolOf(t, { ...loginTo(test.name, logins.leo_worker).pg, max: 2 }))
  const rename = (name: string) => sql`update public.apps set app_name = app_name where app_name = ${name}`
  let lockedCount = 0
  const both = (first: string, second: string) =>
    inTransaction(db, async (trx) => {
      await rename(first).execute(trx)
      for (lockedCount += 1; lockedCount < 2; ) await sleep(5)
      await rename(second).execute(trx)
    })
  const [one, two] = await Promise.allSettled([both('Whole', 'Alone'), both('Alone', 'Whole')])
  const failed = one.status === 'rejected' ? one : two
  t.match(failed, { status: 'rejected', reason: { name: 'SerializationError', code: 'deadlock', isRetrySafe: true } })

  await inTransaction(db, async (trx) => {
    await rename('Whole').execute(trx)
    const waiting = inTransaction(db, async (other) => {
      await sql`set local lock_timeout = '20ms'`.execute(other)
      await rename('Whole').execute(other)
    })
    await t.rejects(waiting, { name: 'LockTimeoutError', code: 'lock_timeout', table: undefined, isRetrySafe: true })
  })

  const repeatable = db.transaction().setIsolationLevel('repeatable read').execute(async (trx) => {
    await sql`select from public.apps`.execute(trx)
    await rename('Whole').execute(db)
    await rename('Whole').execute(trx)
  })
  await t.rejects(repeatable, { name: 'SerializationError', code: 'serialization_failure', isRetrySafe: true })
})

/** A pool whose pipelined client is answered by a function, for errors that a server does not produce on demand. */
function fakePool(answer: (text: string) => object): { pool: PostgresPool; sent: string[]; released: unknown[] } {
  const sent: string[] = []
  const released: unknown[] = []
  const client = {
    pipeline: true,
    query: async (text: string) => {
      sent.push(text)
      return answer(text)
    },
    release: (destroy: unknown) => released.push(destroy),
  }
  return { pool: { connect: async () => client, end: async () => undefined } as never, sent, released }
}

t.test('if begin fails, each later statement and the commit reject', async (t) => {
  const cancelled = () => Object.assign(new Error('canceling statement due to user request'), { code: '57014', severity: 'ERROR' })
  const { pool, sent, released } = fakePool((text) => {
    if (text === 'begin') throw cancelled()
    return { command: text === 'commit' ? 'COMMIT' : 'SELECT', rowCount: 0, rows: [] }
  })
  const canceled = { name: 'StatementTimeoutError', code: 'statement_canceled' }
  const swallowing = createClient(pool).transaction().execute(async (trx) => {
    await t.rejects(sql`select 1`.execute(trx), canceled)
    await t.rejects(sql`select 2`.execute(trx), canceled)
  })
  await t.rejects(swallowing, canceled)
  t.strictSame(sent, ['begin', 'select 1', 'select 2', 'commit', 'rollback'])
  t.strictSame(released, [false])
})

t.test('a connection that cannot roll back is destroyed, and the error that caused the rollback is thrown', async (t) => {
  const { pool, released } = fakePool((text) => {
    if (text === 'rollback') throw new Error('Connection terminated')
    return { command: 'SELECT', rowCount: 0, rows: [] }
  })
  await t.rejects(createClient(pool).transaction().execute(() => Promise.reject(new Error('no'))), { message: 'no' })
  t.strictSame(released, [true])
})

t.test('streaming is rejected', async (t) => {
  const db = createClient(poolOf(t))
  await t.rejects(db.selectFrom('apps').select('id').stream().next(), { message: /streaming is not supported/ })
})
