import { CompiledQuery } from 'kysely'
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import { fromDriver } from './driver-errors.ts'
import type { Moment } from './driver-errors.ts'
import { TransactionOverError, TransactionRolledBackError } from './errors.ts'

/**
 * A pool whose connections begin a transaction and take on an identity in the round trip of its first query, say it
 * when a commit was none, throw this package's errors, read bigint as bigint, and are good for nothing once released.
 */
export function guardPool(pool: PostgresPool): PostgresPool {
  return {
    async connect() {
      try {
        return new GuardedClient((await pool.connect()) as DriverClient)
      } catch (error) {
        throw fromDriver(error, 'before anything was sent')
      }
    },
    end: () => pool.end(),
  }
}

/**
 * Hands over what the next `begin` of the connection is to be followed by. It never leaves the process where the pool
 * is guarded; elsewhere the server answers that it has kept nothing.
 */
export const openNextWith = (statement: string): CompiledQuery<{ is_kept: boolean }> => CompiledQuery.raw(handOver, [statement])

const handOver = 'select $1::text is null as is_kept'

interface TypeParsers {
  readonly getTypeParser: (oid: number, format?: 'binary' | 'text') => unknown
}

/** What of pg's client is used beyond Kysely's interface. */
interface DriverClient extends PostgresPoolClient {
  readonly pipeline?: boolean
  getTypeParser?: TypeParsers['getTypeParser']
  on?(event: 'error', listener: (error: Error) => void): void
  removeListener?(event: 'error', listener: (error: Error) => void): void
  release(destroy?: boolean): void
}

type Result<R> = PostgresQueryResult<R>

const int8 = 20

class GuardedClient implements PostgresPoolClient {
  readonly #client: DriverClient
  readonly #types: TypeParsers | undefined
  #nextOpening: string | undefined
  /** The `begin` that was sent and not waited for. */
  #begun: Promise<unknown> | undefined
  #isInTransaction = false
  #isBroken = false
  #isReleased = false

  constructor(client: DriverClient) {
    this.#client = client
    // Between two queries nobody else listens, and an error that nobody listens to ends the process.
    client.on?.('error', this.#onError)
    const own = client.getTypeParser?.bind(client)
    this.#types = own && { getTypeParser: (oid, format) => (oid === int8 && format !== 'binary' ? BigInt : own(oid, format)) }
  }

  query<R>(sql: string, parameters: readonly unknown[]): Promise<Result<R>>
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  query<R>(sql: string | PostgresCursor<R>, parameters: readonly unknown[] = []): Promise<Result<R>> | PostgresCursor<R> {
    if (typeof sql !== 'string') return this.#client.query(sql)
    if (this.#isReleased) return Promise.reject(over())
    if (sql === handOver) {
      this.#nextOpening = String(parameters[0])
      return Promise.resolve(local([{ is_kept: true } as R]))
    }
    if (sql === 'begin' || sql.startsWith('start transaction')) return this.#begin(sql)
    if (sql === 'commit') return this.#commit()
    if (sql === 'rollback') return this.#rollback()
    return this.#send<R>(sql, parameters, this.#isInTransaction ? 'before commit' : 'may be done')
  }

  release(): void {
    this.#isReleased = true
    // Whoever gets it next must not find somebody else's transaction, nor its identity.
    const destroy = this.#isBroken || this.#isInTransaction
    // One that is thrown away may yet complain.
    if (!destroy) this.#client.removeListener?.('error', this.#onError)
    this.#client.release(destroy)
  }

  /** One message, which the server takes as a whole: what follows a failure in it finds the transaction aborted. */
  async #begin<R>(sql: string): Promise<Result<R>> {
    const opening = this.#nextOpening
    this.#nextOpening = undefined
    this.#isInTransaction = true
    const begun = this.#client.query<R>(opening === undefined ? sql : `${sql}; ${opening}`, undefined as never)
    begun.catch(() => undefined)
    this.#begun = begun
    // Without pipelining pg would hold the next query back anyway, and complain about it.
    if (!this.#client.pipeline) await this.#hasBegun('before anything was sent')
    return local([])
  }

  async #commit<R>(): Promise<Result<R>> {
    // Through one that is known to be broken it is not sent.
    const result = await this.#send<R>('commit', [], this.#isBroken ? 'before commit' : 'may be done')
    this.#isInTransaction = false
    if (String(result.command) !== 'COMMIT') {
      throw new TransactionRolledBackError(
        'transaction_rolled_back',
        'the transaction was rolled back, not committed: an error inside of it was caught and not thrown on',
      )
    }
    return result
  }

  /** A failure here would hide the error that led to it; the connection is thrown away instead, which rolls back too. */
  async #rollback<R>(): Promise<Result<R>> {
    try {
      const result = await this.#client.query<R>('rollback', [])
      this.#isInTransaction = false
      return result
    } catch {
      this.#isBroken = true
      return local([])
    }
  }

  async #send<R>(text: string, values: readonly unknown[], moment: Moment): Promise<Result<R>> {
    try {
      // Said with the query, so that neither the pool's parsers nor those of the whole process are touched.
      const query = this.#types && ({ text, values, types: this.#types } as unknown as string)
      const result = await this.#client.query<R>(query ?? text, query === undefined ? values : undefined as never)
      if (this.#begun !== undefined) await this.#hasBegun('before commit')
      return result
    } catch (error) {
      // What went wrong first is the reason of what went wrong here.
      if (this.#begun !== undefined) await this.#hasBegun('before commit')
      throw fromDriver(error, moment)
    }
  }

  async #hasBegun(moment: Moment): Promise<void> {
    const begun = this.#begun
    this.#begun = undefined
    try {
      await begun
    } catch (error) {
      throw fromDriver(error, moment)
    }
  }

  readonly #onError = (): void => {
    this.#isBroken = true
  }
}

const local = <R>(rows: R[]): Result<R> => ({ command: 'SELECT', rowCount: rows.length, rows })

const over = (): TransactionOverError =>
  new TransactionOverError('transaction_over', 'this transaction has ended: await every query before its callback returns')
