import { Kysely } from 'kysely'
import type { KyselyConfig, PostgresPool } from 'kysely'
import pg from 'pg'
import type { DB } from '../../types/db.ts'
import { LeoDialect } from './dialect.ts'
import type { ServiceDatabase } from './session.ts'

/** The settings of Kysely that a client takes: `log` and `plugins`. */
export type ClientOptions = Omit<KyselyConfig, 'dialect'>

/**
 * Creates a `pg` pool with recommended settings: its connections are pipelined, so that the identity of `asUser` costs
 * one round trip. Anybody may call it. A pool created elsewhere works too; if it is not pipelined, `asUser` costs a
 * second round trip, and the statement that begins its transaction contains the user's id, so that traces and
 * `pg_stat_activity` show it.
 *
 * An idle connection that breaks is removed from the pool; the pool reports it by the event `error`.
 *
 * @param config as for `new pg.Pool`. Set `max` and `connectionTimeoutMillis`. Do not set `query_timeout`, which ends a
 *   pipelined connection; use `timeoutMs` of `asUser` instead.
 * @returns the pool. `destroy()` of the client that uses it ends it.
 * @example
 * const pool = createPool({ connectionString: process.env.DATABASE_URL, max: 10, connectionTimeoutMillis: 5_000 })
 */
export function createPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool({ pipeline: true, ...config } as pg.PoolConfig)
  // An `error` event without a listener would end the process.
  pool.on('error', () => undefined)
  // The same holds for a connection that no caller has checked out, or that is being destroyed.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/**
 * Creates the Kysely instance of an API. For the API: its login is a member of `leo_api`, and has no rights outside
 * `asUser`.
 *
 * @param pool from `createPool`, or an object with the `connect()` and `end()` of a `pg` pool. Its configuration and the
 *   type parsers of `pg` are not changed; the instance itself reads bigint as bigint.
 * @returns an instance that throws errors of the database as a `LeoError`, and whose commit rejects if the server rolled
 *   back.
 * @example
 * const db = createClient(createPool({ connectionString: process.env.DATABASE_URL }))
 */
export function createClient(pool: PostgresPool, options: ClientOptions = {}): Kysely<DB> {
  return new Kysely<DB>({ ...options, dialect: new LeoDialect(pool) })
}

/**
 * Creates the Kysely instance of a worker. For services: their login is a member of `leo_worker` and has the rights of
 * the service without setting a role, so that no round trip is spent on an identity. The type of the instance permits
 * the queries that are for services.
 *
 * @param pool as for `createClient`.
 * @returns the same kind of instance as `createClient`.
 * @example
 * const serviceDb = createServiceClient(createPool({ connectionString: process.env.WORKER_DATABASE_URL }))
 * const [generation] = await queue.claim(serviceDb, { worker: 'worker-1' })
 */
export function createServiceClient(pool: PostgresPool, options: ClientOptions = {}): ServiceDatabase {
  return createClient(pool, options) as ServiceDatabase
}
