import { constraintCodes, errorCodes } from './error-codes.ts'
import type { ConstraintCode, ErrorName } from './error-codes.ts'
import {
  AccessDeniedError,
  ConnectionError,
  ConstraintError,
  LeoError,
  LockTimeoutError,
  QueryError,
  RuleError,
  SerializationError,
  StatementTimeoutError,
} from './errors.ts'
import type { ErrorLocation } from './errors.ts'

/** When an error occurred, which determines whether the server may have executed the statement for good. */
export type TransactionPhase = 'not sent' | 'not committed' | 'possibly committed'

/** The fields of an error that PostgreSQL sent; `pg` puts them on a DatabaseError. */
interface ServerError extends Error {
  readonly code: string
  readonly severity: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
  detail?: string
  where?: string
  internalQuery?: string
}

/** Converts an error of the driver to one of this package. An error that does not come from the database is returned as it is. */
export function fromDriver(error: unknown, phase: TransactionPhase): unknown {
  if (error instanceof LeoError || !(error instanceof Error)) return error
  return isServerError(error) ? fromServer(error, phase) : fromConnection(error, phase)
}

const isServerError = (error: Error): error is ServerError =>
  'severity' in error && 'code' in error && typeof error.code === 'string' && error.code.length === 5

const ruleNames = new Map<string, ErrorName>(
  Object.entries(errorCodes).map(([name, code]) => [code, name as ErrorName]),
)

function fromServer(error: ServerError, phase: TransactionPhase): LeoError {
  // These fields quote the failing row: a name, a prompt.
  delete error.detail
  delete error.where
  delete error.internalQuery

  const { code: sqlstate, schema, table, column, constraint } = error
  const location: ErrorLocation = JSON.parse(JSON.stringify({ sqlstate, schema, table, column, constraint }))
  const details = { ...location, cause: error }
  const rule = ruleNames.get(sqlstate)
  if (rule !== undefined) return new RuleError(rule, error.message, details)
  if (sqlstate.startsWith('23')) return constraintError(error, location)
  if (isConnectionState(sqlstate)) return connectionError(sqlstate, error, phase)
  switch (sqlstate) {
    case '42501':
      return new AccessDeniedError('access_denied', `permission denied${by(location)}: use asUser, or a login of the service`, details)
    case '40001':
      return new SerializationError('serialization_failure', 'another transaction changed the same rows: repeat the transaction', {
        ...details,
        isRetrySafe: true,
      })
    case '40P01':
      return new SerializationError('deadlock', 'the transaction was part of a deadlock: repeat the transaction', {
        ...details,
        isRetrySafe: true,
      })
    case '55P03':
      return new LockTimeoutError('lock_timeout', `lock timeout exceeded${by(location)}: try again later`, {
        ...details,
        isRetrySafe: true,
      })
    case '57014':
      return canceled(error, location)
    default:
      return new QueryError('query_failed', `PostgreSQL rejected the statement with ${sqlstate}${by(location)}: see the cause`, details)
  }
}

function constraintError(error: ServerError, location: ErrorLocation): ConstraintError {
  const constraint = error.constraint
  const code: ConstraintCode | 'constraint_violated' =
    constraint !== undefined && constraint in constraintCodes
      ? constraintCodes[constraint as keyof typeof constraintCodes]
      : 'constraint_violated'
  const name = constraint ?? (location.column ? `not null of ${location.column}` : location.sqlstate)
  return new ConstraintError(code, `${code.replaceAll('_', ' ')}${by(location)} (${name})`, { ...location, cause: error })
}

/** A timeout and a cancellation have the same SQLSTATE and differ in their message. A cancelled statement has no effect. */
function canceled(error: ServerError, location: ErrorLocation): StatementTimeoutError {
  const isTimeout = error.message.includes('statement timeout')
  return new StatementTimeoutError(
    isTimeout ? 'statement_timeout' : 'statement_canceled',
    isTimeout ? 'the statement exceeded statement_timeout: read less, or allow more time' : 'the statement was cancelled',
    { ...location, cause: error, isRetrySafe: true },
  )
}

/** 08: connection exception; 53300: too many connections; 57P0x: server shut down, crashed or starting, database dropped, idle session; 25P03, 25P04: transaction idle or too long. */
const isConnectionState = (sqlstate: string): boolean =>
  sqlstate.startsWith('08') || sqlstate.startsWith('57P') || ['53300', '25P03', '25P04'].includes(sqlstate)

function connectionError(sqlstate: string, cause: Error, phase: TransactionPhase): ConnectionError {
  if (sqlstate === '53300') {
    return new ConnectionError('too_many_connections', 'the server has no free connection: make the pools smaller', {
      sqlstate,
      cause,
      isRetrySafe: true,
    })
  }
  return connectionLost(cause, phase, { sqlstate })
}

/** Messages of `pg` and its pool for a failed connection, which have no code. */
const connectionErrorPrefixes = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'Query read timeout',
  'server closed the connection',
  'timeout expired',
  'Cannot use a pool after calling end',
]

function fromConnection(error: Error, phase: TransactionPhase): unknown {
  if (error.message.startsWith('timeout exceeded when trying to connect')) {
    return new ConnectionError('pool_exhausted', 'no connection of the pool became free in time: end transactions sooner, or make the pool larger', {
      cause: error,
      isRetrySafe: true,
    })
  }
  const isSocketError = 'syscall' in error || ('code' in error && /^E[A-Z]+$/.test(String(error.code)))
  if (!isSocketError && !connectionErrorPrefixes.some((prefix) => error.message.startsWith(prefix))) return error
  return connectionLost(error, phase)
}

function connectionLost(cause: Error, phase: TransactionPhase, location: ErrorLocation = {}): ConnectionError {
  if (phase === 'not sent') {
    return new ConnectionError('connection_failed', 'cannot connect to the database: check its address and that it runs', {
      ...location,
      cause,
      isRetrySafe: true,
    })
  }
  const isRetrySafe = phase === 'not committed'
  const advice = isRetrySafe ? 'the transaction was rolled back, repeat it' : 'check whether the change was committed before you repeat it'
  return new ConnectionError('connection_lost', `the connection to the database was lost: ${advice}`, { ...location, cause, isRetrySafe })
}

const by = ({ table }: ErrorLocation): string => (table ? ` by ${table}` : '')
