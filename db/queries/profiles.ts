/** What users show of themselves and have set. */
import { sql } from 'kysely'
import type { JsonObject, JsonValue, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase } from '../client/session.ts'

const columns = ['user_id', 'display_name', 'avatar_url', 'preferences', 'created_at', 'updated_at'] as const

/** A profile; the times are null where nothing was ever saved, and the rest are the defaults. */
export type Profile = Pick<Row<'user_profiles'>, 'user_id' | 'display_name' | 'avatar_url' | 'preferences'> & {
  readonly created_at: Date | null
  readonly updated_at: Date | null
}

/** What is left out stays as it is; null empties. */
export interface ProfilePatch {
  readonly display_name?: string | null
  /** https only. */
  readonly avatar_url?: string | null
  /** Merged into what is there (RFC 7396): null removes a member, an array replaces the one before. */
  readonly preferences?: JsonObject
}

/**
 * Reads a user's profile. For the user, and for services.
 *
 * @returns the defaults where nothing was ever saved, where there is no such user, and where it is another's.
 * @example
 * const { preferences } = await asUser(db, userId, (trx) => profiles.get(trx, userId))
 */
export async function get(db: AnyDatabase, user_id: UserId): Promise<Profile> {
  const profile = await db.selectFrom('user_profiles').select(columns).where('user_id', '=', user_id).executeTakeFirst()
  return (
    profile ?? { user_id, display_name: null, avatar_url: null, preferences: {}, created_at: null, updated_at: null }
  )
}

/**
 * Changes a user's profile, or makes it. Two who change different preferences at once both get their way. For the user,
 * and for services.
 *
 * @returns the profile as it is then.
 * @throws {AccessDeniedError} `access_denied`: it is another's.
 * @throws {ConstraintError} `display_name_blank`, `display_name_too_long`, `avatar_url_not_https`,
 *   `avatar_url_too_long`, `preferences_too_long`, `preferences_too_deep`; `user_not_found` where the user has been
 *   deleted.
 * @example
 * await asUser(db, userId, (trx) => profiles.update(trx, userId, { preferences: { theme: 'dark', beta: null } }))
 */
export async function update(db: AnyDatabase, user_id: UserId, patch: ProfilePatch): Promise<Profile> {
  const { preferences, ...shown } = patch
  return db
    .insertInto('user_profiles')
    .values({ ...shown, user_id, preferences: withoutNulls(preferences ?? {}) })
    .onConflict((conflict) =>
      // The database merges an update. The id is set, to what it is, so that an empty patch is a statement, too.
      conflict
        .column('user_id')
        .doUpdateSet({ ...shown, user_id, ...(preferences && { preferences: sql`${preferences}` }) }),
    )
    .returning(columns)
    .executeTakeFirstOrThrow()
}

/** What the patch makes of nothing, which is what a new row holds: the database merges no insert. */
function withoutNulls(patch: JsonObject, levels = 32): JsonObject {
  const members = Object.entries(patch).filter(([, value]) => value !== null)
  return Object.fromEntries(
    members.map(([name, value]) => [name, isObject(value) && levels > 0 ? withoutNulls(value, levels - 1) : value]),
  )
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
