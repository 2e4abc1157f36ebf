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
import type { ErrorPlace } from './errors.ts'

/** Whether the server may have done what was asked when the connection is lost at that moment. */
export type Moment = 'before anything was sent' | 'before commit' | 'may be done'

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

/** Makes one of this package's errors out of whatever the driver threw; what is no error of a database stays itself. */
export function fromDriver(error: unknown, moment: Moment): unknown {
  if (error instanceof LeoError || !(error instanceof Error)) return error
  return isServerError(error) ? fromServer(error, moment) : fromConnection(error, moment)
}

const isServerError = (error: Error): error is ServerError =>
  'severity' in error && 'code' in error && typeof error.code === 'string' && error.code.length === 5

const ruleNames = new Map<string, ErrorName>(
  Object.entries(errorCodes).map(([name, code]) => [code, name as ErrorName]),
)

function fromServer(error: ServerError, moment: Moment): LeoError {
  // They quote rows: a name, a prompt, whatever a failing row contains.
  delete error.detail
  delete error.where
  delete error.internalQuery

  const { code: sqlstate, schema, table, column, constraint } = error
  const place: ErrorPlace = JSON.parse(JSON.stringify({ sqlstate, schema, table, column, constraint }))
  const with_ = { ...place, cause: error }
  const rule = ruleNames.get(sqlstate)
  if (rule !== undefined) return new RuleError(rule, error.message, with_)
  if (sqlstate.startsWith('23')) return constraintError(error, place)
  if (isConnectionState(sqlstate)) return connectionLost(sqlstate, error, moment)
  switch (sqlstate) {
    case '42501':
      return new AccessDeniedError('access_denied', `not allowed${of(place)}: use asUser, or the service's login`, with_)
    case '40001':
      return new SerializationError('serialization_failure', 'another transaction changed the same rows: repeat it all', {
        ...with_,
        isRetrySafe: true,
      })
    case '40P01':
      return new SerializationError('deadlock', 'two transactions waited for each other: repeat it all', {
        ...with_,
        isRetrySafe: true,
      })
    case '55P03':
      return new LockTimeoutError('lock_timeout', `a lock was not to be had in time${of(place)}: try again later`, {
        ...with_,
        isRetrySafe: true,
      })
    case '57014':
      return canceled(error, place)
    default:
      return new QueryError('query_failed', `PostgreSQL refused the statement with ${sqlstate}${of(place)}`, with_)
  }
}

function constraintError(error: ServerError, place: ErrorPlace): ConstraintError {
  const constraint = error.constraint
  const code: ConstraintCode | 'constraint_violated' =
    constraint !== undefined && constraint in constraintCodes
      ? constraintCodes[constraint as keyof typeof constraintCodes]
      : 'constraint_violated'
  const what = constraint ?? (place.column ? `not null of ${place.column}` : place.sqlstate)
  return new ConstraintError(code, `${code.replaceAll('_', ' ')}${of(place)} (${what})`, { ...place, cause: error })
}

/** Both have one SQLSTATE; only the words differ. A statement that was ended has done nothing. */
function canceled(error: ServerError, place: ErrorPlace): StatementTimeoutError {
  const isTimeout = error.message.includes('statement timeout')
  return new StatementTimeoutError(
    isTimeout ? 'statement_timeout' : 'statement_canceled',
    isTimeout ? 'the statement took longer than statement_timeout: ask for less, or allow more' : 'the statement was cancelled',
    { ...place, cause: error, isRetrySafe: true },
  )
}

/** 08: connection exception; 53300: too many; 57P0x: shut down, crashed, starting, dropped, idle; 25P03, 25P04: idle or too long in a transaction. */
const isConnectionState = (sqlstate: string): boolean =>
  sqlstate.startsWith('08') || sqlstate.startsWith('57P') || ['53300', '25P03', '25P04'].includes(sqlstate)

function connectionLost(sqlstate: string, cause: Error, moment: Moment): ConnectionError {
  if (sqlstate === '53300') {
    return new ConnectionError('too_many_connections', 'the server has no connection to spare: make the pools smaller', {
      sqlstate,
      cause,
      isRetrySafe: true,
    })
  }
  return lost(cause, moment, { sqlstate })
}

/** What Node and `pg` say of a socket; `pg` and its pool have words for these, and no codes. */
const sayings = [
  'Connection terminated',
  'Client has encountered a connection error',
  'Client was closed',
  'Query read timeout',
  'server closed the connection',
  'timeout expired',
  'Cannot use a pool after calling end',
]

function fromConnection(error: Error, moment: Moment): unknown {
  if (error.message.startsWith('timeout exceeded when trying to connect')) {
    return new ConnectionError('pool_exhausted', 'no connection of the pool came free in time: close transactions sooner, or make it larger', {
      cause: error,
      isRetrySafe: true,
    })
  }
  const isOfSocket = 'syscall' in error || ('code' in error && /^E[A-Z]+$/.test(String(error.code)))
  if (!isOfSocket && !sayings.some((saying) => error.message.startsWith(saying))) return error
  return lost(error, moment)
}

function lost(cause: Error, moment: Moment, place: ErrorPlace = {}): ConnectionError {
  if (moment === 'before anything was sent') {
    return new ConnectionError('connection_failed', 'the database did not answer: is it up, and the address right?', {
      ...place,
      cause,
      isRetrySafe: true,
    })
  }
  const isRetrySafe = moment === 'before commit'
  const tail = isRetrySafe ? 'nothing was kept' : 'look whether it was done before asking again'
  return new ConnectionError('connection_lost', `the connection to the database was lost: ${tail}`, { ...place, cause, isRetrySafe })
}

const of = ({ table }: ErrorPlace): string => (table ? ` by ${table}` : '')
