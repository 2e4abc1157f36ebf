/**
 * Types for ids, so that the compiler rejects an id of another kind. The brand does not exist at run time. Only
 * `db/client/ids.ts` and the queries create such values.
 */

declare const brand: unique symbol
type Branded<T, Name extends string> = T & { readonly [brand]: Name }

/** The id of a Supabase Auth user: a UUID in lower case. `parseUserId()` returns one. */
export type UserId = Branded<string, 'UserId'>

/** The id of an app: a UUID in lower case. `parseAppId()` returns one. */
export type AppId = Branded<string, 'AppId'>

/** The id of a generation request. `parseGenerationId()` returns one. */
export type GenerationId = Branded<number, 'GenerationId'>

/** The id of a snapshot of an iteration. `parseSnapshotId()` returns one. */
export type SnapshotId = Branded<number, 'SnapshotId'>

/** The id of a stored secret: a UUID in lower case. `parseSecretId()` returns one. */
export type SecretId = Branded<string, 'SecretId'>

/** A sealed secret, `leo1.…`; the database accepts no other text as a secret. `leo-saas-schema/secrets` creates them. */
export type SealedSecret = Branded<string, 'SealedSecret'>
