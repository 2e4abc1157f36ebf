import type { SnapshotId } from '../../types/index.ts'
import type { ConstraintCode, ErrorName } from './error-codes.ts'

export { constraintCodes, errorCodes } from './error-codes.ts'
export type { ConstraintCode, ConstraintName, ErrorName } from './error-codes.ts'

/** The object of the database that an error concerns, as far as PostgreSQL reports it. */
export interface ErrorLocation {
  readonly sqlstate?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
}

interface ErrorDetails extends ErrorLocation {
  /** See `LeoError.isRetrySafe`; false if absent. */
  readonly isRetrySafe?: boolean
  readonly cause?: unknown
}

/**
 * The base class of all errors of this package. Programs compare `code`; `message` is for people. Neither the message
 * nor the stack contains a statement or a value. `cause` is the error of the driver, without the fields in which
 * PostgreSQL quotes rows.
 *
 * @example
 * const canRetry = error instanceof LeoError && error.isRetrySafe
 */
export abstract class LeoError extends Error implements ErrorLocation {
  abstract override readonly name: string
  /** Identifies the error; the same in all minor releases. */
  readonly code: string
  /** True if the call had no effect and may succeed when repeated. */
  readonly isRetrySafe: boolean
  declare readonly sqlstate?: string
  declare readonly schema?: string
  declare readonly table?: string
  declare readonly column?: string
  declare readonly constraint?: string

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    const { isRetrySafe = false, cause, ...location } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.isRetrySafe = isRetrySafe
    Object.assign(this, location)
  }
}

/** A row violates a constraint: a name is taken, a text is too long, a referenced row does not exist. `constraint` is its name. */
export class ConstraintError extends LeoError {
  override readonly name = 'ConstraintError'
  declare readonly code: ConstraintCode | 'constraint_violated'
}

/** A function or trigger of the schema rejected the change with one of `errorCodes`: an illegal change of status, a full queue. */
export class RuleError extends LeoError {
  override readonly name = 'RuleError'
  declare readonly code: ErrorName
}

/** The current role lacks the privilege, or row security rejects the row. Outside `asUser` a login of `leo_api` has no privileges. */
export class AccessDeniedError extends LeoError {
  override readonly name = 'AccessDeniedError'
  declare readonly code: 'access_denied'
}

/**
 * No connection could be made, or the connection was lost. `isRetrySafe` is false if the server may have committed before
 * the connection was lost: during a commit, or during a statement outside a transaction.
 */
export class ConnectionError extends LeoError {
  override readonly name = 'ConnectionError'
  declare readonly code: 'connection_failed' | 'connection_lost' | 'pool_exhausted' | 'too_many_connections'
}

/** The transaction conflicted with another one and was rolled back; always safe to repeat. */
export class SerializationError extends LeoError {
  override readonly name = 'SerializationError'
  declare readonly code: 'deadlock' | 'serialization_failure'
}

/** A statement exceeded `statement_timeout` or was cancelled. */
export class StatementTimeoutError extends LeoError {
  override readonly name = 'StatementTimeoutError'
  declare readonly code: 'statement_canceled' | 'statement_timeout'
}

/** A statement exceeded `lock_timeout`, or could not lock a row with `nowait`; safe to repeat. */
export class LockTimeoutError extends LeoError {
  override readonly name = 'LockTimeoutError'
  declare readonly code: 'lock_timeout'
}

/** The server answered COMMIT with ROLLBACK, because the callback caught a query error and did not rethrow it. */
export class TransactionRolledBackError extends LeoError {
  override readonly name = 'TransactionRolledBackError'
  declare readonly code: 'transaction_rolled_back'
}

/** A transaction was used after its end. The statement was not sent. */
export class TransactionOverError extends LeoError {
  override readonly name = 'TransactionOverError'
  declare readonly code: 'transaction_over'
}

/** A value is not a valid id. Thrown before any query. */
export class InvalidIdError extends LeoError {
  override readonly name = 'InvalidIdError'
  declare readonly code: 'invalid_id'
}

/** A text is not a cursor, or is a cursor of another list. Thrown before any query. */
export class InvalidCursorError extends LeoError {
  override readonly name = 'InvalidCursorError'
  declare readonly code: 'invalid_cursor'
}

/** `get` found no such row that the caller may see. */
export class NotFoundError extends LeoError {
  override readonly name = 'NotFoundError'
  declare readonly code: 'not_found'
}

/** The setting is encrypted. `leo-saas-schema/secrets` reads and writes it. */
export class ConfigEncryptedError extends LeoError {
  override readonly name = 'ConfigEncryptedError'
  declare readonly code: 'config_encrypted'
}

/** The files of a snapshot, saved by a writer of the previous schema, are not a JSON object of strings. */
export class FilesNotReadableError extends LeoError {
  override readonly name = 'FilesNotReadableError'
  declare readonly code: 'files_not_readable'
  /** The id of the snapshot. */
  readonly snapshot_id: SnapshotId

  constructor(snapshot_id: SnapshotId) {
    super('files_not_readable', `the files of snapshot ${snapshot_id} are not a JSON object of strings: use another snapshot`)
    this.snapshot_id = snapshot_id
  }
}

/** The schema of the database is older than this package supports, or is not this schema. */
export class SchemaVersionError extends LeoError {
  override readonly name = 'SchemaVersionError'
  declare readonly code: 'schema_too_old'

  /** The version of the database's schema; undefined if it has no function `schema_version()`. */
  readonly found: string | undefined
  /** The oldest version that this package supports. */
  readonly needed: string

  constructor(found: string | undefined, needed: string) {
    const version = found === undefined ? 'has no version' : `has version ${found}`
    super('schema_too_old', `the database's schema ${version}, and this package needs ${needed}: migrate it, or use an older release`)
    this.found = found
    this.needed = needed
  }
}

/** PostgreSQL rejected the statement for another reason; see `sqlstate` and `cause`. */
export class QueryError extends LeoError {
  override readonly name = 'QueryError'
  declare readonly code: 'query_failed'
}
