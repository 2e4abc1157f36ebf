import type { Kysely, Transaction } from 'kysely'
import type { DB, UserId } from '../../types/index.ts'
import { beginWith } from './connection.ts'
import { InvalidIdError } from './errors.ts'
import { isUserId } from './ids.ts'
import { setLocally } from './settings.ts'
import type { Settings } from './settings.ts'

declare const acts_as: unique symbol

/** A transaction with the identity of one signed-in user, from `asUser`. Row security restricts it to the user's rows. */
export type UserTransaction = Transaction<DB> & { readonly [acts_as]: 'user' }

/** A database connection of the service, from `createServiceClient`, or a `ServiceTransaction`. */
export type ServiceDatabase = Kysely<DB> & { readonly [acts_as]: 'service' }

/** A transaction of the service, from `asService` or `inTransaction`. */
export type ServiceTransaction = Transaction<DB> & { readonly [acts_as]: 'service' }

/** For queries that users and services call; these take the user's id as a parameter. */
export type AnyDatabase = ServiceDatabase | UserTransaction

/** Options of a transaction. */
export interface SessionOptions {
  /** `statement_timeout` of each statement, in milliseconds; the setting of the login if absent. */
  readonly timeoutMs?: number
}

/** Options of a transaction of the service. */
export interface ServiceOptions extends SessionOptions {
  /** The user for whom the service acts; recorded in the timeline and the activity log. */
  readonly acting_user_id?: UserId
  /** The reason of the change, recorded in the timeline of generations; up to 2000 characters. */
  readonly reason?: string
}

/**
 * Runs `fn` in a transaction with the identity of one signed-in user. As in the Data API of Supabase, the role and the
 * JWT claims are set for this transaction only. For the API, with a login of `leo_api` or any login that may become
 * `authenticated`. It costs one round trip more than the queries of `fn`, and works through a transaction pooler.
 *
 * @param userId the id of the Supabase Auth user, from `parseUserId()`.
 * @param fn receives the transaction. If it throws, the transaction is rolled back. It has to await all of its queries.
 * @returns the result of `fn`, after the commit.
 * @throws {InvalidIdError} `invalid_id`, before any query: `userId` is not a UUID.
 * @throws {AccessDeniedError} `access_denied`: the login may not become `authenticated`, or the user lacks a privilege.
 * @throws {TransactionRolledBackError} `transaction_rolled_back`: `fn` caught a query error and did not rethrow it.
 * @throws {ConnectionError} `isRetrySafe` is false only if the connection was lost during the commit.
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
    throw new InvalidIdError('invalid_id', 'a user id has to be a UUID: use parseUserId()')
  }
  return transactionWith(
    db,
    {
      role: 'authenticated',
      'request.jwt.claims': JSON.stringify({ sub: userId, role: 'authenticated' }),
      // auth.uid() prefers this older setting, and a pooled session may still have a value of it.
      'request.jwt.claim.sub': userId,
      ...timeout(timeoutMs),
    },
    (trx) => fn(trx as UserTransaction),
  )
}

/**
 * Runs `fn` in a transaction with the role `leo_worker`. For services whose login is a member of `leo_worker` without
 * inheriting its privileges. A login that inherits them needs it only to record a user or a reason.
 *
 * @param fn as for `asUser`.
 * @returns the result of `fn`, after the commit.
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
 * Runs `fn` in a transaction of the service's own login. For services, to make several writes atomic.
 *
 * @param fn as for `asUser`.
 * @returns the result of `fn`, after the commit.
 * @example
 * await inTransaction(serviceDb, async (trx) => {
 *   const recorded = await queue.recordIteration(trx, lease, { iteration_number: 1, files: { 'index.html': '<h1>Books</h1>' } })
 *   if (recorded.outcome === 'lease_lost') return
 *   const iteration = { user_id: lease.user_id, generation_request_id: lease.id, iteration_number: 1 }
 *   await costs.insert(trx, { ...iteration, kind: 'tokens', cost_micros: 4_350n, idempotency_key: `${lease.id}:1:tokens` })
 * })
 */
export function inTransaction<T>(db: ServiceDatabase, fn: (trx: ServiceTransaction) => Promise<T>): Promise<T> {
  return db.transaction().execute((trx) => fn(trx as ServiceTransaction))
}

/** The driver of this package sends the settings with `begin`; on another Kysely instance they are a statement of their own. */
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
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1) throw new RangeError('timeoutMs has to be a whole number of milliseconds, 1 or more')
  return { statement_timeout: String(timeoutMs) }
}
