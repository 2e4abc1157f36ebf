import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely'
import type { LogEvent } from 'kysely'
import pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import { asService, asUser, createClient, createPool, createServiceClient, inTransaction, parseUserId } from '../../db/index.ts'
import type { ClientOptions, DB, ServiceDatabase, UserTransaction } from '../../db/index.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { startProxy } from '../fixtures/proxy.ts'
import { insertApp } from '../fixtures/rows.ts'
import { clusterAdmin, loginTo, logins } from '../fixtures/server.ts'

const test = await createMigratedDatabase(t)
const ada = parseUserId(await test.signUp())
const grace = parseUserId(await test.signUp())
await insertApp(test.owner, ada, 'Books')
await insertApp(test.owner, grace, 'Films')

/** One connection, so that a leaked identity affects the next caller. */
const poolOf = (t: Test, login: string, config: pg.PoolConfig = {}): pg.Pool => {
  const pool = createPool({ ...loginTo(test.name, login).pg, max: 1, ...config })
  t.teardown(() => pool.end())
  return pool
}
const db = createClient(poolOf(t, logins.leo_api))

const names = (trx: UserTransaction) => trx.selectFrom('apps').select('app_name').orderBy('app_name').execute()
const whoAmI = (db: Kysely<DB>) =>
  sql<Record<string, string>>`select current_user::text as role, current_setting('request.jwt.claims', true) as claims,
    current_setting('statement_timeout') as timeout, pg_backend_pid()::text as pid`
    .execute(db)
    .then(({ rows }) => rows[0])

t.test('asUser sees only the rows of that user', async (t) => {
  t.strictSame(await asUser(db, ada, names), [{ app_name: 'Books' }])
  t.strictSame(await asUser(db, grace, names), [{ app_name: 'Films' }])
  t.equal((await test.owner.query('select from apps')).rowCount, 2, 'the rows of both users exist')
})

t.test('a value of the older claims setting in the session is overridden', async (t) => {
  await sql`set request.jwt.claim.sub = ${sql.lit(grace)}`.execute(db)
  t.strictSame(await asUser(db, ada, names), [{ app_name: 'Books' }])
  await sql`reset request.jwt.claim.sub`.execute(db)
})

t.test('a login of leo_api is denied outside asUser: before it, after it, and after an error in it', async (t) => {
  const outside = () => db.selectFrom('apps').select('id').execute()
  const refused = { name: 'AccessDeniedError', code: 'access_denied', sqlstate: '42501' }
  await t.rejects(outside(), refused)
  await asUser(db, ada, names)
  await t.rejects(outside(), refused)
  await t.rejects(asUser(db, ada, (trx) => trx.deleteFrom('deployment_config').execute()), refused)
  await t.rejects(outside(), refused)
  await t.rejects(asUser(db, ada, () => Promise.reject(new Error('no'))), { message: 'no' })
  await t.rejects(outside(), refused)
})

t.test('role, claims and timeout are reset after success, timeout and cancellation', async (t) => {
  const before = await whoAmI(db)
  t.match(await asUser(db, ada, whoAmI, { timeoutMs: 1234 }), { role: 'authenticated', timeout: '1234ms', pid: before?.['pid'] })
  t.strictSame({ ...(await whoAmI(db)), claims: '' }, { ...before, claims: '' })
  await t.rejects(asUser(db, ada, (trx) => sql`select pg_sleep(5)`.execute(trx), { timeoutMs: 20 }), {
    name: 'StatementTimeoutError',
    code: 'statement_timeout',
    isRetrySafe: true,
  })
  t.strictSame({ ...(await whoAmI(db)), claims: '' }, { ...before, claims: '' })

  const pid = Number(before?.['pid'])
  const canceled = { name: 'StatementTimeoutError', code: 'statement_canceled' }
  const asleep = t.rejects(asUser(db, ada, (trx) => sql`select pg_sleep(5)`.execute(trx)), canceled)
  const waiting = `select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and query like '%pg_sleep%' and state = 'active'`
  while ((await test.owner.query(waiting, [pid])).rowCount === 0);
  await asleep
  t.strictSame({ ...(await whoAmI(db)), claims: '' }, { ...before, claims: '' })
})

t.test('an invalid timeoutMs is rejected', async (t) => {
  for (const timeoutMs of [0, -1, 1.5, Number.NaN]) await t.rejects(asUser(db, ada, names, { timeoutMs }), { name: 'RangeError' })
})

t.test('an id that is not a UUID is rejected before any query', async (t) => {
  for (const id of ['', 'ada', `${ada} `, `${ada}'`, `${ada}\n`, '{"sub":1}', undefined, 7]) {
    await t.rejects(asUser(db, id as never, () => t.fail('ran') as never), { name: 'InvalidIdError', code: 'invalid_id' })
  }
})

t.test('an error of the callback rolls its writes back', async (t) => {
  const failing = asUser(db, ada, async (trx) => {
    await trx.insertInto('apps').values({ user_id: ada, app_name: 'Lost' }).execute()
    throw new Error('no')
  })
  await t.rejects(failing, { message: 'no' })
  t.strictSame(await asUser(db, ada, names), [{ app_name: 'Books' }])
})

t.test('a caught query error makes the commit reject', async (t) => {
  const swallowing = asUser(db, ada, async (trx) => {
    await trx.insertInto('apps').values({ user_id: ada, app_name: 'Lost' }).execute()
    await trx.insertInto('apps').values({ user_id: ada, app_name: 'Books' }).execute().catch(() => undefined)
  })
  await t.rejects(swallowing, { name: 'TransactionRolledBackError', code: 'transaction_rolled_back' })
  t.strictSame(await asUser(db, ada, names), [{ app_name: 'Books' }])
})

t.test('a query on a transaction or connection after its end is rejected', async (t) => {
  const kept: Kysely<DB>[] = []
  await asUser(db, ada, async (trx) => void kept.push(trx))
  await db.connection().execute(async (connection) => void kept.push(connection))
  await asUser(db, grace, async () => {
    await t.rejects(whoAmI(kept[0]!), { message: 'Transaction is already committed' }, 'Kysely rejects a query of an ended transaction')
    await t.rejects(whoAmI(kept[1]!), { name: 'TransactionOverError', code: 'transaction_over' })
  })
})

t.test('nested transactions have their own identity', async (t) => {
  const two = createClient(poolOf(t, logins.leo_api, { max: 2 }))
  await asUser(two, ada, async (trx) => {
    t.strictSame(await asUser(two, grace, names), [{ app_name: 'Films' }])
    t.strictSame(await names(trx), [{ app_name: 'Books' }])
    await t.rejects(two.transaction().execute((plain) => plain.selectFrom('apps').select('id').execute()), { code: 'access_denied' })
  })
})

t.test('asUser costs one round trip more than its query, and two without pipelining', async (t) => {
  const target = loginTo(test.name, logins.leo_api)
  const proxy = await startProxy(t, target, 5)
  const trips = async (pool: pg.Pool, work: (db: Kysely<DB>) => Promise<unknown>, options?: ClientOptions) => {
    const client = createClient(pool, options)
    await sql`select`.execute(client)
    const before = proxy.roundTrips
    await work(client)
    return proxy.roundTrips - before
  }
  const through = (config: pg.PoolConfig = {}) => poolOf(t, logins.leo_api, { port: proxy.port, ...config })
  t.equal(await trips(through(), (db) => sql`select`.execute(db)), 1)
  t.equal(await trips(through(), (db) => asUser(db, ada, names)), 2)
  t.equal(await trips(through(), (db) => asUser(db, ada, names, { timeoutMs: 1000 })), 2)
  t.equal(await trips(through({ pipeline: false } as pg.PoolConfig), (db) => asUser(db, ada, names)), 3)
  const camelCase = { plugins: [new CamelCasePlugin()] }
  t.equal(await trips(through(), (db) => asUser(db, ada, names), camelCase), 2, 'with a plugin that renames result columns')
})

t.test('the log of Kysely shows each statement of a transaction, and no claims', async (t) => {
  const events: LogEvent[] = []
  const logged = createClient(poolOf(t, logins.leo_api), { log: (event) => void events.push(event) })
  await asUser(logged, ada, names)
  await t.rejects(asUser(logged, ada, () => Promise.reject(new Error('no'))), { message: 'no' })
  t.strictSame(
    events.map(({ query }) => query.sql),
    ['begin', 'select "app_name" from "apps" order by "app_name"', 'commit', 'begin', 'rollback'],
  )
  t.notMatch(JSON.stringify(events), ada)
  await asUser(logged, ada, (trx) => trx.selectFrom('apps').select('id').where('user_id', '=', ada).execute())
  t.match(JSON.stringify(events), ada, 'where a query names the user, its parameters do')
})

t.test('user ids are parameters, not part of a statement, so that traces and pg_stat_activity do not show them', async (t) => {
  const statements = async (pipeline: boolean): Promise<string> => {
    const pool = poolOf(t, logins.leo_api, { pipeline } as pg.PoolConfig)
    const texts: unknown[] = []
    pool.on('connect', (client) => {
      const { query } = client
      client.query = (...args: unknown[]) => {
        texts.push(typeof args[0] === 'string' ? args[0] : (args[0] as { text: string }).text)
        return (query as (...args: unknown[]) => never).apply(client, args)
      }
    })
    await asUser(createClient(pool), ada, names, { timeoutMs: 1000 })
    return texts.join('\n')
  }
  t.match(await statements(true), /^begin\nselect set_config/)
  t.notMatch(await statements(true), ada)
  t.match(await statements(false), ada, 'a connection without pipelining sends both in one message, which takes no parameters')
})

t.test('on a Kysely instance of the caller it sets and resets the identity as well', async (t) => {
  for (const pipeline of [true, false]) {
    const pool = poolOf(t, logins.leo_api, { pipeline } as pg.PoolConfig)
    const plain = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
    t.strictSame(await asUser(plain, ada, names), [{ app_name: 'Books' }])
    await t.rejects(plain.selectFrom('apps').select('id').execute(), { code: '42501' })
  }
})

t.test('a login that may not become authenticated is denied', async (t) => {
  const denied = { name: 'AccessDeniedError', code: 'access_denied' }
  const worker = createServiceClient(poolOf(t, logins.leo_worker))
  await t.rejects(asUser(worker, ada, names), denied)
  await t.rejects(asUser(worker, ada, async () => 'no query'), denied, 'also without a query')
  await t.rejects(asService(db, async (trx) => trx.selectFrom('apps').select('id').execute()), denied)
  t.ok((await worker.selectFrom('apps').select('id').execute()).length, 'the connection remains usable')
})

t.test('asService gives a NOINHERIT login the role of the service, and sets user and reason', async (t) => {
  const login = `${test.name}_deploys`
  await withClient(clusterAdmin(), (client) =>
    client.query(`create role ${login} login noinherit in role leo_worker password ${client.escapeLiteral(String(clusterAdmin().pg.password))}`),
  )
  const pool = createPool({ ...loginTo(test.name, login).pg, max: 1 })
  t.teardown(async () => {
    await pool.end()
    await withClient(clusterAdmin(), (client) => client.query(`drop role ${login}`))
  })
  const deployer = createClient(pool)
  await t.rejects(deployer.selectFrom('apps').select('id').execute(), { code: 'access_denied' }, 'without it the login is denied')
  const reason = "it's a \\ test"
  const settings = (trx: Kysely<DB>) =>
    sql`select current_user::text as role, current_setting('leo.reason') as reason, current_setting('leo.acting_user') as person`.execute(trx)
  t.strictSame((await asService(deployer, settings, { acting_user_id: ada, reason })).rows, [{ role: 'leo_worker', reason, person: ada }])
  t.strictSame((await asService(deployer, settings)).rows, [{ role: 'leo_worker', reason: '', person: '' }])
  await t.rejects(asService(deployer, async () => 1, { reason: 'a\0b' }), { name: 'RangeError' })
})

t.test('a change by the service for a user is recorded as an action of the user', async (t) => {
  const worker: ServiceDatabase = createServiceClient(poolOf(t, logins.leo_worker))
  await asService(worker, (trx) => trx.insertInto('apps').values({ user_id: ada, app_name: 'Bought' }).execute(), { acting_user_id: ada })
  const { rows } = await test.owner.query(`select action from user_activity_log where user_id = $1 and detail ->> 'app_name' = 'Bought'`, [ada])
  t.strictSame(rows, [{ action: 'create' }])
  await inTransaction(worker, (trx) => trx.deleteFrom('apps').where('app_name', '=', 'Bought').execute())
  t.strictSame(await asUser(db, ada, names), [{ app_name: 'Books' }])
})

t.test('bigint is read as bigint, and the parsers of pg are not changed', async (t) => {
  const read = () => sql<{ n: bigint }>`select 9007199254740993::bigint as n`.execute(db)
  t.equal((await read()).rows[0]?.n, 9007199254740993n)
  t.equal(pg.types.getTypeParser(20)('7'), '7')
})
