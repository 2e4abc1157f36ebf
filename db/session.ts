import { sql } from 'kysely'
import type { Kysely, Transaction } from 'kysely'
import type { DB } from '../types/db.ts'
import { InvalidUserIdError } from './errors.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Runs `fn` in a transaction as one signed-in user, the way hosted Supabase does: role and JWT claims are set for this
 * transaction only, and row security does the rest. For the API (a login of `leo_api`), or any login that may become
 * `authenticated`.
 *
 * @param userId the Supabase Auth user's id.
 * @returns what `fn` returns, once the transaction is committed.
 * @throws {InvalidUserIdError} before any query, when `userId` is no UUID.
 * @example
 * const mine = await asUser(db, userId, (trx) => apps.list(trx))
 */
export async function asUser<T>(
  db: Kysely<DB>,
  userId: string,
  fn: (trx: Transaction<DB>) => Promise<T>,
): Promise<T> {
  if (!uuid.test(userId)) throw new InvalidUserIdError('a user id must be a UUID')
  const claims = JSON.stringify({ sub: userId, role: 'authenticated' })
  return db.transaction().execute(async (trx) => {
    // The older setting too, which auth.uid() prefers: a value that somebody left in the session must not win.
    await sql`select
      set_config('role', 'authenticated', true),
      set_config('request.jwt.claims', ${claims}, true),
      set_config('request.jwt.claim.sub', ${userId}, true)`.execute(trx)
    return fn(trx)
  })
}
