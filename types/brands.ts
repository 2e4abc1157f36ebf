/**
 * Texts and numbers that must not be mistaken for one another. The brand exists for the compiler only; `db/client/ids.ts` and
 * the queries make such values, nothing else does.
 */

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** The id of a Supabase Auth user: a UUID in lower case. `parseUserId()` makes one. */
export type UserId = Branded<string, 'UserId'>

/** The id of an app: a UUID in lower case. `parseAppId()` makes one. */
export type AppId = Branded<string, 'AppId'>

/** The id of a generation request. `parseGenerationId()` makes one. */
export type GenerationId = Branded<number, 'GenerationId'>

/** The id of an iteration's snapshot. `parseSnapshotId()` makes one. */
export type SnapshotId = Branded<number, 'SnapshotId'>

/** The id of a stored secret: a UUID in lower case. `parseSecretId()` makes one. */
export type SecretId = Branded<string, 'SecretId'>

/** A secret in the sealed form `leo1.…`, which is all that the database takes; `leo-saas-schema/secrets` makes them. */
export type SealedSecret = Branded<string, 'SealedSecret'>
