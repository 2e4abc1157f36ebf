import { type Kysely, sql } from 'kysely'
import type { DB } from '../../types/db.ts'
import { SchemaVersionError } from './errors.ts'

/**
 * The oldest version of the schema that this package supports. A minor release does not change it, so that the database
 * may be one release behind. A release that raises it, for a query that needs a newer object or for a contract
 * migration, is a major one.
 */
export const oldestSchemaVersion = '20261122125000'

/**
 * Checks that the schema of the database is new enough for this package. Call it once when a service starts. For every
 * login that this package supports.
 *
 * @returns the version of the schema. It may be newer than `schemaVersion`: later versions add objects, and remove one in
 *   a major release only.
 * @throws {SchemaVersionError} `schema_too_old`: the schema is older than this package supports, or is another schema.
 * @example
 * await checkSchema(db)
 * @remarks
 * `select public.schema_version()`
 */
export async function checkSchema(db: Kysely<DB>): Promise<string> {
  const found = await readVersion(db)
  if (found !== undefined && found >= oldestSchemaVersion) return found
  throw new SchemaVersionError(found, oldestSchemaVersion)
}

async function readVersion(db: Kysely<DB>): Promise<string | undefined> {
  // Checked first, because a call of a missing function would abort the caller's transaction.
  const { rows } = await sql<{ exists: boolean }>`
    select to_regprocedure('public.schema_version()') is not null as exists`.execute(db)
  if (!rows[0]?.exists) return undefined
  const answer = await sql<{ version: string | null }>`select public.schema_version() as version`.execute(db)
  return answer.rows[0]?.version ?? undefined
}
