import type { Kysely } from 'kysely'
import type { DB } from '../../types/db.ts'

/**
 * Lists the apps that the caller may see, newest first. For a user: call it inside `asUser`.
 *
 * @param limit how many at most; 1 to 100.
 * @returns an empty array where there are none.
 * @example
 * const newest = await asUser(db, userId, (trx) => apps.list(trx, 5))
 */
export async function list(db: Kysely<DB>, limit = 20) {
  return db
    .selectFrom('apps')
    .select(['id', 'app_name', 'created_at'])
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(Math.min(Math.max(limit, 1), 100))
    .execute()
}
