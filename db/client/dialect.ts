import { PostgresDialect, PostgresDriver } from 'kysely'
import type { DatabaseConnection, Driver, PostgresPool, TransactionSettings } from 'kysely'
import { LeoConnection } from './connection.ts'
import { fromDriver } from './driver-errors.ts'

/**
 * Kysely's PostgreSQL dialect with a driver whose connections send `begin` and the identity with the first query of a
 * transaction, reject a commit that the server rolled back, throw the errors of this package, and read bigint as bigint.
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

/** Sets what the next statement of the connection does; the inherited methods send it, so that Kysely logs it. */
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
      throw fromDriver(error, 'not sent')
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
    // Kysely 0.29 declares the parameter as its own class.
    await super.rollbackTransaction(connection as never)
  }

  override async releaseConnection(connection: DatabaseConnection): Promise<void> {
    (connection as LeoConnection).release()
  }
}
