import type { CompiledQuery, DatabaseConnection, PostgresPool, QueryResult } from 'kysely'
import { fromDriver } from './driver-errors.ts'
import type { TransactionPhase } from './driver-errors.ts'
import { TransactionOverError, TransactionRolledBackError } from './errors.ts'
import { setLocally, setLocallyAsText } from './settings.ts'
import type { Settings } from './settings.ts'

/** What the next statement of a connection does. The driver sets it, so that no SQL text is inspected. */
export type Step = 'begin' | 'commit' | 'rollback' | 'statement'

/**
 * Lets the next transaction of the connection begin with these settings.
 *
 * @returns false where the connection is another driver's: then the caller sends `setLocally` itself.
 */
export function beginWith(connection: DatabaseConnection, settings: Settings): boolean {
  if (!(connection instanceof LeoConnection)) return false
  connection.settings = settings
  return true
}

/** The members of pg's client that are used; Kysely's interface declares few of them. */
interface PgClient {
  readonly pipeline?: boolean
  getTypeParser?: TypeParsers['getTypeParser']
  on?(event: 'error', listener: () => void): void
  removeListener?(event: 'error', listener: () => void): void
  query(query: string | PgQuery, parameters?: readonly unknown[]): Promise<PgResult>
  release(destroy?: boolean): void
}
interface PgQuery { readonly text: string; readonly values: readonly unknown[]; readonly types: TypeParsers }
interface PgResult { readonly command: string; readonly rowCount: number | null; readonly rows: unknown[] }
interface TypeParsers { readonly getTypeParser: (oid: number, format?: 'binary' | 'text') => unknown }

const int8 = 20
const changing = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/** A connection from its checkout to its release; the next checkout creates a new object. */
export class LeoConnection implements DatabaseConnection {
  next: Step = 'statement'
  /** Sent with the next `begin`. */
  settings: Settings | undefined
  readonly #client: PgClient
  readonly #pool: PostgresPool
  readonly #types: TypeParsers | undefined
  /** A `begin` that was sent and not awaited. If it failed, it remains, so that each later statement rejects with its error. */
  #begun: Promise<unknown> | undefined
  #isInTransaction = false
  #isBroken = false
  #isReleased = false
  #pid: unknown
  #running: CompiledQuery | undefined
  #ending: Promise<void> | undefined

  constructor(client: unknown, pool: PostgresPool) {
    this.#client = client as PgClient
    this.#pool = pool
    // pg has no listener between two queries, and an `error` event without a listener ends the process.
    this.#client.on?.('error', this.#onError)
    // Passed with each query, because the parsers of the client and of pg are shared with other code.
    const own = this.#client.getTypeParser?.bind(client)
    this.#types = own && { getTypeParser: (oid, format) => (oid === int8 && format !== 'binary' ? BigInt : own(oid, format)) }
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const step = this.next
    this.next = 'statement'
    if (this.#isReleased) {
      throw new TransactionOverError('transaction_over', 'this transaction has ended: await each query before the callback returns')
    }
    const { command, rowCount, rows } = await this.#run(step, query)
    return { rows: (rows ?? []) as R[], ...(changing.has(command) && { numAffectedRows: BigInt(rowCount ?? 0) }) }
  }

  streamQuery(): AsyncIterableIterator<never> {
    throw new Error('streaming is not supported, since a pipelined connection has no cursors: read page by page')
  }

  release(): void {
    this.#isReleased = true
    // The next checkout must not continue this transaction or its identity.
    const destroy = this.#isBroken || this.#isInTransaction
    // A connection that is destroyed may still emit an error.
    if (!destroy) this.#client.removeListener?.('error', this.#onError)
    this.#client.release(destroy)
  }

  /**
   * Kysely 0.29 calls this before a query that has an AbortSignal. Through a transaction pooler the process id is valid
   * inside a transaction only.
   */
  async collectSessionInfo(): Promise<void> {
    const { rows } = await this.#send('select pg_backend_pid() as pid', [], 'not committed')
    this.#pid = (rows[0] as { pid: number }).pid
  }

  /** Kysely 0.29 calls this if the query is aborted while it runs. */
  cancelQuery(): Promise<void> {
    return this.#end('select pg_cancel_backend($1)')
  }

  /** As `cancelQuery`. */
  killSession(): Promise<void> {
    return this.#end('select pg_terminate_backend($1)')
  }

  #run(step: Step, query: CompiledQuery): Promise<PgResult> {
    switch (step) {
      case 'begin':
        return this.#begin(query.sql)
      case 'commit':
        return this.#commit(query.sql)
      case 'rollback':
        return this.#rollback(query.sql)
      case 'statement':
        return this.#statement(query)
    }
  }

  async #statement(query: CompiledQuery): Promise<PgResult> {
    this.#running = query
    try {
      return await this.#send(query.sql, query.parameters, this.#isInTransaction ? 'not committed' : 'possibly committed')
    } finally {
      this.#running = undefined
    }
  }

  async #begin(sql: string): Promise<PgResult> {
    const { settings } = this
    this.settings = undefined
    this.#isInTransaction = true
    if (!this.#client.pipeline) {
      // pg sends a message after the previous one is answered, so that a message of both saves a round trip.
      const text = settings === undefined ? sql : `${sql}; ${setLocallyAsText(settings)}`
      await this.#client.query(text).catch((error: unknown) => {
        throw fromDriver(error, 'not sent')
      })
      return none
    }
    const sent = [this.#client.query(sql)]
    if (settings !== undefined) {
      const { sql, parameters } = setLocally(settings)
      sent.push(this.#client.query(sql, parameters))
    }
    this.#begun = Promise.all(sent)
    this.#begun.catch(() => undefined)
    return none
  }

  async #commit(sql: string): Promise<PgResult> {
    // pg does not send a statement on a connection that it knows to be broken.
    const result = await this.#send(sql, [], this.#isBroken ? 'not committed' : 'possibly committed')
    this.#isInTransaction = false
    if (result.command !== 'COMMIT') {
      throw new TransactionRolledBackError(
        'transaction_rolled_back',
        'the transaction was rolled back, not committed: rethrow the query error that its callback caught',
      )
    }
    return result
  }

  /** Does not throw, which would hide the error that caused the rollback. The connection is destroyed instead, which rolls back as well. */
  async #rollback(sql: string): Promise<PgResult> {
    try {
      await this.#ending
      await this.#client.query(sql)
      this.#isInTransaction = false
    } catch {
      this.#isBroken = true
    }
    return none
  }

  async #send(text: string, values: readonly unknown[], phase: TransactionPhase): Promise<PgResult> {
    const types = this.#types
    const sent = types ? this.#client.query({ text, values, types }) : this.#client.query(text, values)
    const [begun, result] = await Promise.allSettled([this.#begun, sent])
    // A failed `begin` is the cause of the failure of the statement.
    if (begun.status === 'rejected') throw fromDriver(begun.reason, 'not committed')
    this.#begun = undefined
    if (result.status === 'rejected') throw fromDriver(result.reason, phase)
    return result.value
  }

  /** Uses another connection of the pool. If none is free until the query ends, no signal is sent. */
  #end(sql: string): Promise<void> {
    const query = this.#running
    const send = async (): Promise<void> => {
      const client = (await this.#pool.connect()) as unknown as PgClient
      try {
        if (query !== undefined && query === this.#running) await client.query(sql, [this.#pid])
      } finally {
        client.release()
      }
    }
    return (this.#ending = send())
  }

  readonly #onError = (): void => {
    this.#isBroken = true
  }
}

const none: PgResult = { command: '', rowCount: 0, rows: [] }
