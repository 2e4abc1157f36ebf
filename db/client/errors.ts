import type { SnapshotId } from '../../types/index.ts'
import type { ConstraintCode, ErrorName } from './error-codes.ts'

export { constraintCodes, errorCodes } from './error-codes.ts'
export type { ConstraintCode, ConstraintName, ErrorName } from './error-codes.ts'

/** Where in the database an error arose, as far as PostgreSQL says. */
export interface ErrorPlace {
  readonly sqlstate?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
}

interface Particulars extends ErrorPlace {
  /** Nothing of what was asked has been done, so that asking again cannot do it twice, and may well succeed. */
  readonly isRetrySafe?: boolean
  readonly cause?: unknown
}

/**
 * What every error of this package is: `code` is for machines, the message for people; neither it nor the stack holds
 * a statement or a value. `cause` is the driver's error, without the rows that PostgreSQL quotes in its details.
 *
 * @example
 * const mayTryAgain = error instanceof LeoError && error.isRetrySafe
 */
export abstract class LeoError extends Error implements ErrorPlace {
  abstract override readonly name: string
  /** What happened, in a word that stays the same over releases. */
  readonly code: string
  /** Whether to ask again is safe: nothing of it has been done, and it may well succeed. */
  readonly isRetrySafe: boolean
  declare readonly sqlstate?: string
  declare readonly schema?: string
  declare readonly table?: string
  declare readonly column?: string
  declare readonly constraint?: string

  constructor(code: string, message: string, particulars: Particulars = {}) {
    const { isRetrySafe = false, cause, ...place } = particulars
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.isRetrySafe = isRetrySafe
    Object.assign(this, place)
  }
}

/** A constraint refused: a name is taken, a text too long, a row referred to not there. `constraint` says which. */
export class ConstraintError extends LeoError {
  override readonly name = 'ConstraintError'
  declare readonly code: ConstraintCode | 'constraint_violated'
}

/** A rule of the schema refused, one of `errorCodes`: a status cannot change so, a queue is full. */
export class RuleError extends LeoError {
  override readonly name = 'RuleError'
  declare readonly code: ErrorName
}

/** The caller may not do this, or not as whom it is connected: outside `asUser` a login of `leo_api` may do nothing. */
export class AccessDeniedError extends LeoError {
  override readonly name = 'AccessDeniedError'
  declare readonly code: 'access_denied'
}

/**
 * No connection, or none any more. `isRetrySafe` is false where the server may have done what was asked before the
 * connection went: a commit without an answer, a single statement outside of a transaction.
 */
export class ConnectionError extends LeoError {
  override readonly name = 'ConnectionError'
  declare readonly code: 'connection_failed' | 'connection_lost' | 'pool_exhausted' | 'too_many_connections'
}

/** Two transactions were in each other's way and this one gave way; always safe to repeat. */
export class SerializationError extends LeoError {
  override readonly name = 'SerializationError'
  declare readonly code: 'deadlock' | 'serialization_failure'
}

/** A statement took longer than `statement_timeout`, or somebody cancelled it. */
export class StatementTimeoutError extends LeoError {
  override readonly name = 'StatementTimeoutError'
  declare readonly code: 'statement_canceled' | 'statement_timeout'
}

/** A lock was not to be had in time; safe to repeat. */
export class LockTimeoutError extends LeoError {
  override readonly name = 'LockTimeoutError'
  declare readonly code: 'lock_timeout'
}

/** COMMIT was answered with ROLLBACK: an error inside of the transaction was caught and not thrown on. Nothing is kept. */
export class TransactionRolledBackError extends LeoError {
  override readonly name = 'TransactionRolledBackError'
  declare readonly code: 'transaction_rolled_back'
}

/** A transaction was used after its end. Nothing was sent. */
export class TransactionOverError extends LeoError {
  override readonly name = 'TransactionOverError'
  declare readonly code: 'transaction_over'
}

/** A text or number that should be an id is none. Thrown before anything is sent. */
export class InvalidIdError extends LeoError {
  override readonly name = 'InvalidIdError'
  declare readonly code: 'invalid_id'
}

/** A text that should be a cursor is none, or one of another list. Thrown before anything is sent. */
export class InvalidCursorError extends LeoError {
  override readonly name = 'InvalidCursorError'
  declare readonly code: 'invalid_cursor'
}

/** `get` found no such row, or none that the caller may see. */
export class NotFoundError extends LeoError {
  override readonly name = 'NotFoundError'
  declare readonly code: 'not_found'
}

/** The setting is encrypted: `leo-saas-schema/secrets` reads and writes it. */
export class ConfigEncryptedError extends LeoError {
  override readonly name = 'ConfigEncryptedError'
  declare readonly code: 'config_encrypted'
}

/** The files of a snapshot are no JSON object of strings: an old writer left something else there. */
export class FilesNotReadableError extends LeoError {
  override readonly name = 'FilesNotReadableError'
  declare readonly code: 'files_not_readable'
  /** Which snapshot; take another one, or repair it. */
  readonly snapshot_id: SnapshotId

  constructor(snapshot_id: SnapshotId) {
    super('files_not_readable', `the files of snapshot ${snapshot_id} are no JSON object of strings: take another one`)
    this.snapshot_id = snapshot_id
  }
}

/** The database is older than this package needs, or not this schema at all: migrate it, or use an older release. */
export class SchemaVersionError extends LeoError {
  override readonly name = 'SchemaVersionError'
  declare readonly code: 'schema_too_old'

  /** The database's version; undefined where it is too old to say one, or is another schema. */
  readonly found: string | undefined
  /** The oldest that this package runs on. */
  readonly needed: string

  constructor(found: string | undefined, needed: string) {
    const what = found === undefined ? 'is too old to say its version' : `has version ${found}`
    super('schema_too_old', `the database's schema ${what}, and this package needs ${needed}: migrate it, or use an older release`)
    this.found = found
    this.needed = needed
  }
}

/** PostgreSQL refused for a reason that none of the other classes names; `sqlstate` says which. */
export class QueryError extends LeoError {
  override readonly name = 'QueryError'
  declare readonly code: 'query_failed'
}
