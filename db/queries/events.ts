/** The timeline of generations: each change of status, inserted by triggers and functions of the database. */
import type { GenerationId, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = [
  'id',
  'generation_request_id',
  'from_status',
  'to_status',
  'iteration_number',
  'reason',
  'actor',
  'acting_user_id',
  'created_at',
] as const

/** A change of status, and its actor. */
export type GenerationEvent = Pick<Row<'generation_events'>, (typeof columns)[number]>

const timeline = keyset('events.timeline', 'number')
const newest = keyset('events', 'number')

/**
 * Lists the events of a generation, the oldest first. For its user, and for services. The first event of a generation
 * older than the timeline is not its creation; `from_status` is the status before that event.
 *
 * @returns a page, empty if the generation does not exist or belongs to another user, and `next`: the cursor of the next
 *   page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { events: changes } = await asUser(db, userId, (trx) =>
 *   events.listOfGeneration(trx, { user_id: userId, generation_request_id: generationId }))
 */
export async function listOfGeneration(
  db: AnyDatabase,
  {
    user_id,
    generation_request_id,
    ...page
  }: { readonly user_id: UserId; readonly generation_request_id: GenerationId } & Page,
): Promise<{ events: GenerationEvent[]; next: string | null }> {
  const after = timeline.after(page)
  const found = await db
    .selectFrom('generation_events')
    .select(columns)
    .where('user_id', '=', user_id)
    .where('generation_request_id', '=', generation_request_id)
    .$if(after !== undefined, (query) => query.where('id', '>', BigInt(after![0])))
    .orderBy('id')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = timeline.cut(found, page, ({ id }) => [id])
  return { events: rows, next }
}

/**
 * Lists the events of all generations of a user, the newest first. For the user, and for services.
 *
 * @returns a page, empty if there are none, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { events: latest } = await asUser(db, userId, (trx) => events.list(trx, { user_id: userId, limit: 10 }))
 */
export async function list(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ events: GenerationEvent[]; next: string | null }> {
  const after = newest.after(page)
  const found = await db
    .selectFrom('generation_events')
    .select(columns)
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) => query.where('id', '<', BigInt(after![0])))
    .orderBy('id', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = newest.cut(found, page, ({ id }) => [id])
  return { events: rows, next }
}
