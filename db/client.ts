import { Kysely, PostgresDialect } from 'kysely'
import type { PostgresPool } from 'kysely'
import type { DB } from '../types/db.ts'

/**
 * Makes the Kysely instance that every query of this package takes first.
 *
 * @param pool a `pg` pool, or anything that has its `connect()` and `end()`; it stays the caller's to configure.
 * @example
 * const db = createClient(new pg.Pool({ connectionString: process.env.DATABASE_URL }))
 */
export function createClient(pool: PostgresPool): Kysely<DB> {
  return new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
}
