import { PostgresDialect, PostgresDriver } from 'kysely'
import type { DatabaseConnection, Driver, PostgresPool, TransactionSettings } from 'kysely'
import { LeoConnection } from './connection.ts'
import { fromDriver } from './driver-errors.ts'

/**
 * Kysely's PostgreSQL dialect with this package's connections: they begin a transaction and set its identity in the
 * round trip of its first query, reject a commit that the server rolled back, throw this package's errors, and read
 * bigint as bigint.
 */
export class LeoDialect extends PostgresDialect {
  readonly #pool: PostgresPool

  constructor(pool: PostgresPool) {
    super({ pool })
    this.#pool = pool
  }

  override createDriver(): Driver {
    return new LeoDriver(this.#pool)
  }
}

/** Writes no statement itself: Kysely's driver does, and its log shows them. The connection is told which one comes next. */
class LeoDriver extends PostgresDriver {
  readonly #pool: PostgresPool

  constructor(pool: PostgresPool) {
    super({ pool })
    this.#pool = pool
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    try {
      return new LeoConnection(await this.#pool.connect(), this.#pool)
    } catch (error) {
      throw fromDriver(error, 'before anything was sent')
    }
  }

  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    (connection as LeoConnection).next = 'begin'
    await super.beginTransaction(connection, settings)
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    (connection as LeoConnection).next = 'commit'
    await super.commitTransaction(connection)
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    (connection as LeoConnection).next = 'rollback'
    // 0.29 types it as a connection of its own.
    await super.rollbackTransaction(connection as never)
  }

  override async releaseConnection(connection: DatabaseConnection): Promise<void> {
    (connection as LeoConnection).release()
  }
}
