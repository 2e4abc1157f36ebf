import { Kysely } from 'kysely'
import type { KyselyConfig, PostgresPool } from 'kysely'
import pg from 'pg'
import type { DB } from '../../types/db.ts'
import { LeoDialect } from './dialect.ts'
import type { ServiceDatabase } from './session.ts'

/** What of Kysely's own configuration may be added: a log, plugins. */
export type ClientOptions = Omit<KyselyConfig, 'dialect'>

/**
 * Makes a `pg` pool as this package likes it best: pipelined, so that an identity costs one round trip. Anybody may
 * call it; a pool of one's own works too. Without pipelining `asUser` costs one round trip more, and user ids stand in
 * the text of the statement that begins a transaction, where traces and `pg_stat_activity` show them.
 *
 * An idle connection that breaks is dropped, and the next caller gets a new one; listen to `error` to hear of it.
 *
 * @param config as for `new pg.Pool`. Set `max` and `connectionTimeoutMillis`; leave `query_timeout` alone, which ends
 *   a pipelined connection, and use `timeoutMs` of `asUser`.
 * @returns the pool; it is ended by `destroy()` of the client that is made of it.
 * @example
 * const pool = createPool({ connectionString: process.env.DATABASE_URL, max: 10, connectionTimeoutMillis: 5_000 })
 */
export function createPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({ pipeline: true, ...config } as pg.PoolConfig)
  // An error that nobody listens to would end the process.
  pool.on('error', () => undefined)
  // Nor does anybody listen to a connection between two owners, or while it is being thrown away.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/**
 * Makes the Kysely instance of an API. For the API: its login is a member of `leo_api`, and may do nothing outside of
 * `asUser`.
 *
 * @param pool from `createPool`, or anything with the `connect()` and `end()` of a `pg` pool; it stays the caller's to
 *   configure. No type parser of `pg` is changed: the instance reads bigint as bigint by itself.
 * @returns an instance whose errors are a `LeoError`, and whose commit rejects when the server rolled back.
 * @example
 * const db = createClient(createPool({ connectionString: process.env.DATABASE_URL }))
 */
export function createClient(pool: PostgresPool, options: ClientOptions = {}): Kysely<DB> {
  return new Kysely<DB>({ ...options, dialect: new LeoDialect(pool) })
}

/**
 * Makes the Kysely instance of a worker. For services: their login is a member of `leo_worker` and has the service's
 * rights at once, so that identity costs it nothing. The brand opens the service's queries to it.
 *
 * @param pool as for `createClient`.
 * @returns an instance as that of `createClient`.
 * @example
 * const serviceDb = createServiceClient(createPool({ connectionString: process.env.WORKER_DATABASE_URL }))
 * const [generation] = await queue.claim(serviceDb, { worker: 'worker-1' })
 */
export function createServiceClient(pool: PostgresPool, options: ClientOptions = {}): ServiceDatabase {
  return createClient(pool, options) as ServiceDatabase
}
