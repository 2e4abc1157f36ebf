import type { Kysely, Transaction } from 'kysely'
import type { DB, UserId } from '../../types/index.ts'
import { beginWith } from './connection.ts'
import { InvalidIdError } from './errors.ts'
import { isUserId } from './ids.ts'
import { setLocally } from './settings.ts'
import type { Settings } from './settings.ts'

declare const acts_as: unique symbol

/** A transaction as one signed-in user, from `asUser`: row security shows and changes what is theirs. */
export type UserTransaction = Transaction<DB> & { readonly [acts_as]: 'user' }

/** A database as the service, from `createServiceClient`, or a `ServiceTransaction`. */
export type ServiceDatabase = Kysely<DB> & { readonly [acts_as]: 'service' }

/** A transaction as the service, from `asService` or `inTransaction`. */
export type ServiceTransaction = Transaction<DB> & { readonly [acts_as]: 'service' }

/** For queries of both sides, which name the user besides. */
export type AnyDatabase = ServiceDatabase | UserTransaction

/** How long a session's statements may take. */
export interface SessionOptions {
  /** `statement_timeout` of each statement, in milliseconds; without it, what the login has. */
  readonly timeoutMs?: number
}

/** For whom the service acts, and why. */
export interface ServiceOptions extends SessionOptions {
  /** For whom the service acts: the timeline and the activity log name them. */
  readonly acting_user_id?: UserId
  /** Why, for the timeline of generations; up to 2000 characters. */
  readonly reason?: string
}

/**
 * Runs `fn` in a transaction as one signed-in user, the way hosted Supabase does: role and JWT claims are set for this
 * transaction only, and row security does the rest. For the API (a login of `leo_api`), or any login that may become
 * `authenticated`. It costs one round trip more than its queries, and works through a transaction pooler.
 *
 * @param userId the Supabase Auth user's id, from `parseUserId()`.
 * @param fn gets the transaction; whatever it throws rolls back. Its queries are over when its promise is.
 * @returns what `fn` returns, once the transaction is committed.
 * @throws {InvalidIdError} `invalid_id`, before any query: `userId` is no UUID.
 * @throws {AccessDeniedError} `access_denied`: the login may not become `authenticated`, or the user may not do that.
 * @throws {TransactionRolledBackError} `transaction_rolled_back`: `fn` swallowed a query's error.
 * @throws {ConnectionError} `isRetrySafe` unless the connection went while committing.
 * @example
 * const { apps: mine } = await asUser(db, userId, (trx) => apps.list(trx), { timeoutMs: 5_000 })
 */
export async function asUser<T>(
  db: Kysely<DB>,
  userId: UserId,
  fn: (trx: UserTransaction) => Promise<T>,
  { timeoutMs }: SessionOptions = {},
): Promise<T> {
  if (!isUserId(userId)) {
    throw new InvalidIdError('invalid_id', 'a user id is a UUID, and this is none: use parseUserId()')
  }
  return transactionWith(
    db,
    {
      role: 'authenticated',
      'request.jwt.claims': JSON.stringify({ sub: userId, role: 'authenticated' }),
      // The older setting too, which auth.uid() prefers: a value that somebody left in the session must not win.
      'request.jwt.claim.sub': userId,
      ...timeout(timeoutMs),
    },
    (trx) => fn(trx as UserTransaction),
  )
}

/**
 * Runs `fn` in a transaction as the service, for a login that must become it first: one that is granted
 * `leo_worker` and inherits nothing. A login of `leo_worker` needs it only to say for whom it acts.
 *
 * @returns what `fn` returns, once the transaction is committed.
 * @throws {AccessDeniedError} `access_denied`: the login may not become `leo_worker`.
 * @example
 * const setting = { key: 'fly.region', value: 'fra' }
 * await asService(serviceDb, (trx) => config.set(trx, setting), { acting_user_id: userId })
 */
export async function asService<T>(
  db: Kysely<DB>,
  fn: (trx: ServiceTransaction) => Promise<T>,
  { timeoutMs, acting_user_id, reason }: ServiceOptions = {},
): Promise<T> {
  return transactionWith(
    db,
    {
      role: 'leo_worker',
      'leo.acting_user': acting_user_id ?? '',
      'leo.reason': reason ?? '',
      ...timeout(timeoutMs),
    },
    (trx) => fn(trx as ServiceTransaction),
  )
}

/**
 * Runs `fn` in a transaction of the service's own login. For services, where several writes belong together.
 *
 * @returns what `fn` returns, once the transaction is committed.
 * @example
 * await inTransaction(serviceDb, async (trx) => {
 *   const kept = await queue.recordIteration(trx, lease, { iteration_number: 1, files: { 'index.html': '<h1>Books</h1>' } })
 *   if (kept.outcome === 'lease_lost') return
 *   const of = { user_id: lease.user_id, generation_request_id: lease.id, iteration_number: 1 }
 *   await costs.insert(trx, { ...of, kind: 'tokens', cost_micros: 4_350n, idempotency_key: `${lease.id}:1:tokens` })
 * })
 */
export function inTransaction<T>(db: ServiceDatabase, fn: (trx: ServiceTransaction) => Promise<T>): Promise<T> {
  return db.transaction().execute((trx) => fn(trx as ServiceTransaction))
}

/** The settings are sent with `begin` where this package made the instance, else in a statement of their own. */
function transactionWith<T>(db: Kysely<DB>, settings: Settings, fn: (trx: Transaction<DB>) => Promise<T>): Promise<T> {
  if (Object.values(settings).some((value) => value.includes('\0'))) {
    throw new RangeError('a setting cannot contain the character U+0000')
  }
  return db.connection().execute(async (connection) => {
    const isSent = await connection.getExecutor().provideConnection(async (inner) => beginWith(inner, settings))
    return connection.transaction().execute(async (trx) => {
      if (!isSent) await trx.executeQuery(setLocally(settings))
      return fn(trx)
    })
  })
}

function timeout(timeoutMs: number | undefined): Record<string, string> {
  if (timeoutMs === undefined) return {}
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1) throw new RangeError('timeoutMs is a whole number of milliseconds, 1 or more')
  return { statement_timeout: String(timeoutMs) }
}
