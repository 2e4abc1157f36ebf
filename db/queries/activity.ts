/**
 * What users did, themselves or through a service. The database writes most of it, as apps, generations and so on
 * change.
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
 * Lists what a user did, the newest first. For the user, and for services.
 *
 * @returns a page, empty where there is nothing, and `next`: the cursor of the page after it, or null.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
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
 * Writes down what a user did that no table shows. For services; what they do to apps, generations, secrets and
 * profiles is written already. An entry stays as it is for good.
 *
 * @param entry `detail`: names of what changed, up to 4 KiB; never a secret, a prompt or a value of the user's.
 * @returns its id.
 * @throws {ConstraintError} `action_unknown`: no action of this type of object; `object_id_form`, `detail_too_long`,
 *   `detail_not_object`, `user_agent_too_long`; `user_not_found`.
 * @example
 * await activity.insert(serviceDb, { user_id: userId, object_type: 'app', object_id: appId, action: 'rename' })
 */
export async function insert(db: ServiceDatabase, entry: NewActivity): Promise<{ id: bigint }> {
  return db.insertInto('user_activity_log').values(entry).returning('id').executeTakeFirstOrThrow()
}
