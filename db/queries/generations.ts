import { sql } from 'kysely'
import type { AppId, GenerationId, GenerationMode, GenerationStatus, GenerationType, Row, UserId } from '../../types/index.ts'
import { NotFoundError } from '../client/errors.ts'
import type { UserTransaction } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = [
  ...(['id', 'app_id', 'app_name', 'prompt', 'status', 'generation_type', 'mode', 'current_iteration', 'max_iterations'] as const),
  ...(['github_url', 'github_commit', 'deployment_url', 'error_message', 'retry_count', 'available_at'] as const),
  ...(['created_at', 'updated_at', 'completed_at'] as const),
] as const

/** A generation as its user sees it. */
export type Generation = Pick<Row<'generation_requests'>, (typeof columns)[number]>

/** A generation to enqueue. */
export interface GenerationRequest {
  readonly app_id: AppId
  readonly prompt: string
  readonly mode: GenerationMode
  readonly initial_prompt?: string
  /** `new` if absent. */
  readonly generation_type?: GenerationType
  /** 10 if absent; 100 at most. */
  readonly max_iterations?: number
  /** Requests with the same key enqueue one generation: printable ASCII, up to 200 characters. */
  readonly idempotency_key?: string
}

/**
 * Enqueues a generation for an app of the user. For users: call it inside `asUser`.
 *
 * @returns `enqueued` with the new generation; `repeated` with the current state of the one that has the key.
 * @throws {RuleError} `queue_full`: the user has 20 queued generations; `too_many_iterations`: more than 100.
 * @throws {ConstraintError} `app_not_found`: the user has no such app; `idempotency_key_form`.
 * @example
 * const request = { app_id: appId, prompt: 'a list of books', mode: 'autonomous', idempotency_key: 'click-7' } as const
 * const { outcome, generation } = await asUser(db, userId, (trx) => generations.enqueue(trx, request))
 */
export async function enqueue(
  trx: UserTransaction,
  request: GenerationRequest,
): Promise<{ outcome: 'enqueued'; generation: Generation } | { outcome: 'repeated'; generation: Generation }> {
  const key = request.idempotency_key
  const enqueued = await trx
    .insertInto('generation_requests')
    .values({ ...request, user_id: sql<UserId>`(select auth.uid())` })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'idempotency_key']).where('idempotency_key', 'is not', null).doNothing(),
    )
    .returning(columns)
    .executeTakeFirst()
  if (enqueued) return { outcome: 'enqueued', generation: enqueued }

  // A separate statement, because the snapshot of the first one does not include the row that it waited for.
  const generation = await trx
    .selectFrom('generation_requests')
    .select(columns)
    .where('idempotency_key', '=', key!)
    .where('user_id', '=', sql<UserId>`(select auth.uid())`)
    .executeTakeFirstOrThrow()
  return { outcome: 'repeated', generation }
}

const newest = keyset('generations', 'number')

/**
 * Lists the generations of the user, newest first. For users: call it inside `asUser`.
 *
 * @param options `app_id`: only generations of this app; of all apps if absent.
 * @returns a page, empty if there are none, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { generations: page, next } = await asUser(db, userId, (trx) => generations.list(trx, { app_id: appId }))
 * await asUser(db, userId, (trx) => generations.list(trx, { app_id: appId, cursor: next }))
 */
export async function list(
  trx: UserTransaction,
  { app_id, ...page }: { readonly app_id?: AppId } & Page = {},
): Promise<{ generations: Generation[]; next: string | null }> {
  const before = newest.after(page)
  let query = trx.selectFrom('generation_requests').select(columns).where('user_id', '=', sql<UserId>`(select auth.uid())`)
  if (app_id !== undefined) query = query.where('app_id', '=', app_id)
  if (before !== undefined) query = query.where(sql<boolean>`id < ${before[0]}::bigint`)
  const found = await query
    .orderBy('id', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = newest.cut(found, page, ({ id }) => [id])
  return { generations: rows, next }
}

/**
 * Finds a generation of the user. For users: call it inside `asUser`.
 *
 * @returns `undefined` if it does not exist or belongs to another user.
 * @example
 * const generation = await asUser(db, userId, (trx) => generations.find(trx, generationId))
 */
export async function find(trx: UserTransaction, id: GenerationId): Promise<Generation | undefined> {
  return trx.selectFrom('generation_requests').select(columns).where('id', '=', id).executeTakeFirst()
}

/**
 * Reads a generation that has to exist, as `find` does. For users: call it inside `asUser`.
 *
 * @throws {NotFoundError} `not_found`: it does not exist or belongs to another user.
 * @example
 * const { status } = await asUser(db, userId, (trx) => generations.get(trx, generationId))
 */
export async function get(trx: UserTransaction, id: GenerationId): Promise<Generation> {
  const found = await find(trx, id)
  if (!found) throw new NotFoundError('not_found', 'the user has no such generation: list them')
  return found
}

/** The result of a change of status. With `not_allowed`, `status` is the current status, which does not permit the change. */
export type StatusChange =
  | { outcome: 'changed'; status: GenerationStatus }
  | { outcome: 'not_allowed'; status: GenerationStatus }
  | { outcome: 'not_found' }

/** The condition includes the old status, so that a concurrent change by a worker is not overwritten. */
async function change(
  trx: UserTransaction,
  id: GenerationId,
  from: readonly GenerationStatus[],
  to: GenerationStatus,
): Promise<StatusChange> {
  const changed = await trx
    .updateTable('generation_requests')
    .set({ status: to })
    .where('id', '=', id)
    .where('status', 'in', from)
    .returning('status')
    .executeTakeFirst()
  if (changed) return { outcome: 'changed', status: to }
  const found = await trx.selectFrom('generation_requests').select('status').where('id', '=', id).executeTakeFirst()
  return found ? { outcome: 'not_allowed', status: found.status } : { outcome: 'not_found' }
}

/**
 * Pauses a generation that is queued or running. Its worker receives `lease_lost` from its next call. For users: call it
 * inside `asUser`.
 *
 * @example
 * const paused = await asUser(db, userId, (trx) => generations.pause(trx, generationId))
 * if (paused.outcome === 'not_allowed') console.log(`it is ${paused.status}`)
 */
export const pause = (trx: UserTransaction, id: GenerationId): Promise<StatusChange> =>
  change(trx, id, ['queued', 'generating'], 'paused')

/**
 * Queues a paused generation again, after the other queued ones of the user. For users: call it inside `asUser`.
 *
 * @throws {RuleError} `queue_full`: the user has 20 queued generations.
 * @example
 * const { outcome } = await asUser(db, userId, (trx) => generations.resume(trx, generationId))
 */
export const resume = (trx: UserTransaction, id: GenerationId): Promise<StatusChange> => change(trx, id, ['paused'], 'queued')

/**
 * Cancels a generation that is queued, running or paused. It cannot be resumed. For users: call it inside `asUser`.
 *
 * @example
 * const { outcome } = await asUser(db, userId, (trx) => generations.cancel(trx, generationId))
 */
export const cancel = (trx: UserTransaction, id: GenerationId): Promise<StatusChange> =>
  change(trx, id, ['queued', 'generating', 'paused'], 'cancelled')

/**
 * Queues a failed generation again, after the other queued ones of the user; 3 times at most. For users: call it inside
 * `asUser`.
 *
 * @throws {RuleError} `retries_used_up`: it was retried 3 times; `queue_full`: the user has 20 queued generations.
 * @example
 * const { outcome } = await asUser(db, userId, (trx) => generations.retry(trx, generationId))
 */
export const retry = (trx: UserTransaction, id: GenerationId): Promise<StatusChange> => change(trx, id, ['failed'], 'queued')
