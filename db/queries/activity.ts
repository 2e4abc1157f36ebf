/**
 * The log of what users did, directly or through a service. Triggers write an entry when a user changes an app,
 * generation, secret or profile.
 */
import { sql } from 'kysely'
import type { New, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase, ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = ['id', 'action', 'object_type', 'object_id', 'ip', 'user_agent', 'detail', 'created_at'] as const

/** An entry of the log. */
export type Activity = Pick<Row<'user_activity_log'>, (typeof columns)[number]>

/** An entry to write. */
export type NewActivity = Omit<New<'user_activity_log'>, 'id' | 'created_at'>

const order = keyset('activity', 'time', 'number')

/**
 * Lists the actions of a user, the newest first. For the user, and for services.
 *
 * @returns a page, empty if there are none, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor was not returned by this list.
 * @example
 * const { activities } = await asUser(db, userId, (trx) => activity.list(trx, { user_id: userId, limit: 50 }))
 */
export async function list(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ activities: Activity[]; next: string | null }> {
  const after = order.after(page)
  const found = await db
    .selectFrom('user_activity_log')
    .select(columns)
    .select(sql<bigint>`(extract(epoch from created_at) * 1000000)::bigint`.as('micros'))
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) =>
      query.where(
        sql<boolean>`(created_at, id) <
          (timestamptz 'epoch' + ${after?.[0]}::bigint * interval '1 microsecond', ${after?.[1]}::bigint)`,
      ),
    )
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = order.cut(found, page, ({ micros, id }) => [micros, id])
  return { activities: rows.map(({ micros, ...entry }) => entry), next }
}

/**
 * Inserts an entry for an action that no trigger recorded. For services. An entry cannot be changed later.
 *
 * @param entry `detail`: names of the changed fields, up to 4 KiB; never a secret, a prompt or a value that the user
 *   entered.
 * @returns the id of the entry.
 * @throws {ConstraintError} `action_unknown`: this type of object has no such action; `user_not_found`; or an invalid
 *   value: `object_id_form`, `detail_too_long`, `detail_not_object`, `user_agent_too_long`.
 * @example
 * await activity.insert(serviceDb, {
 *   user_id: userId,
 *   object_type: 'generation',
 *   object_id: String(generationId),
 *   action: 'cancel',
 * })
 */
export async function insert(db: ServiceDatabase, entry: NewActivity): Promise<{ id: bigint }> {
  return db.insertInto('user_activity_log').values(entry).returning('id').executeTakeFirstOrThrow()
}
