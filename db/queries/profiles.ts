/** Profiles and preferences of users. */
import { sql } from 'kysely'
import type { JsonObject, JsonValue, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase } from '../client/session.ts'

const columns = ['user_id', 'display_name', 'avatar_url', 'preferences', 'created_at', 'updated_at'] as const

/** A profile. If none was saved, the times are null and the other columns have their defaults. */
export type Profile = Pick<Row<'user_profiles'>, 'user_id' | 'display_name' | 'avatar_url' | 'preferences'> & {
  readonly created_at: Date | null
  readonly updated_at: Date | null
}

/** Changes to a profile; a column that is absent keeps its value, null removes it. */
export interface ProfilePatch {
  readonly display_name?: string | null
  /** A URL with the scheme https. */
  readonly avatar_url?: string | null
  /** Merged into the saved preferences (RFC 7396): null removes a member, an array replaces the saved one. */
  readonly preferences?: JsonObject
}

/**
 * Reads a user's profile. For the user, and for services.
 *
 * @returns the profile; the defaults if none was saved, if there is no such user, or if it belongs to another user.
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
 * Inserts or updates the profile of a user. Concurrent changes of different preferences are both kept. For the user, and
 * for services.
 *
 * @returns the changed profile.
 * @throws {AccessDeniedError} `access_denied`: it belongs to another user.
 * @throws {ConstraintError} `display_name_blank`, `display_name_too_long`, `avatar_url_not_https`,
 *   `avatar_url_too_long`, `preferences_too_long`, `preferences_too_deep`; `user_not_found`: the user was deleted.
 * @example
 * await asUser(db, userId, (trx) => profiles.update(trx, userId, { preferences: { theme: 'dark', beta: null } }))
 */
export async function update(db: AnyDatabase, user_id: UserId, patch: ProfilePatch): Promise<Profile> {
  const { preferences, ...shown } = patch
  return db
    .insertInto('user_profiles')
    .values({ ...shown, user_id, preferences: withoutNulls(preferences ?? {}) })
    .onConflict((conflict) =>
      // The database merges the preferences of an update. The id is set, so that an empty patch is a valid statement.
      conflict
        .column('user_id')
        .doUpdateSet({ ...shown, user_id, ...(preferences && { preferences: sql`${preferences}` }) }),
    )
    .returning(columns)
    .executeTakeFirstOrThrow()
}

/** Applies the merge patch to an empty object, for an insert; the database merges updates only. */
function withoutNulls(patch: JsonObject, levels = 32): JsonObject {
  const members = Object.entries(patch).filter(([, value]) => value !== null)
  return Object.fromEntries(
    members.map(([name, value]) => [name, isObject(value) && levels > 0 ? withoutNulls(value, levels - 1) : value]),
  )
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
