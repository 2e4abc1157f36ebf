import { type Kysely, sql } from 'kysely'
import type { DB } from '../../types/db.ts'
import { SchemaVersionError } from './errors.ts'

/**
 * The oldest version that this package runs on. A minor release leaves it: the database may be one release behind. A
 * query that needs something newer, and a contract step, raise it, and that release is a major one.
 */
export const oldestSchemaVersion = '20261122125000'

/**
 * Makes sure that the database is new enough for this package: call it once, before a service serves. For every login
 * that the package works with.
 *
 * @returns the database's version. It may be newer than `schemaVersion`: what is added later breaks nobody, and what is
 * taken away waits for a major release.
 * @throws {SchemaVersionError} `schema_too_old`: it is older than what this package runs on, or not this schema.
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
  // Asked first: a call that fails would end the caller's transaction.
  const { rows } = await sql<{ exists: boolean }>`
    select to_regprocedure('public.schema_version()') is not null as exists`.execute(db)
  if (!rows[0]?.exists) return undefined
  const answer = await sql<{ version: string | null }>`select public.schema_version() as version`.execute(db)
  return answer.rows[0]?.version ?? undefined
}
