import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { readMigrations, type Migration } from '../../migrate/migrations.ts'
import { withScratchServer } from '../../postgres/scratch.ts'
import { createSupabaseDatabase } from '../../postgres/supabase.ts'
import { readCatalog } from '../catalog/read.ts'
import { changedObjects, type Reference } from '../compare/standing.ts'
import { applyMigrations, majorOf, withScratchDatabases } from './scratch.ts'

export interface LentReference extends Reference {
  /** The database that it was read from. */
  readonly target: Target
}

/**
 * Runs `work` with a database to which these migrations are applied, and its catalog. The managed objects are those whose
 * catalog entries differ before and after the migrations.
 *
 * @param label names the migrations in an error.
 */
export async function withReference<T>(
  admin: Target,
  migrations: readonly Migration[],
  label: string,
  work: (reference: LentReference) => Promise<T>,
): Promise<T> {
  return withScratchDatabases(admin, 1, async ([target]) => {
    await createSupabaseDatabase(admin, target!.database)
    const reference = await withClient(target!, async (client): Promise<Reference> => {
      // Every hosted project has this publication. A migration adds a table to it if it exists.
      await client.query('create publication supabase_realtime')
      const { rows } = await client.query<{ name: string }>('select rolname as name from pg_roles')
      const before = await readCatalog(client)
      await applyMigrations(client, migrations, label)
      const catalog = await readCatalog(client)
      const managed = new Set(changedObjects(before, catalog))
      // The catalog shows a role of the platform only once it has a privilege.
      for (const { name } of rows) managed.delete(`role ${name}`)
      return { catalog, managed, owner: target!.user }
    })
    return work({ ...reference, target: target! })
  })
}

interface MajorReference extends Reference {
  readonly major: number
}

const references = new Map<string, Promise<MajorReference>>()

/**
 * Reads the schema that the migrations of this repository create, on a throw-away server. Starting and migrating it takes
 * two to four seconds, so the result is cached per major version.
 *
 * @param native the folder of the programs of a PostgreSQL version.
 */
export function readReference(native: string, withServer: typeof withScratchServer): Promise<MajorReference> {
  const known = withServer === withScratchServer ? references.get(native) : undefined
  if (known) return known
  const reading = readMigrations().then((migrations) =>
    withServer(
      (admin) =>
        withReference(admin, migrations, 'this repository', async ({ target, ...reference }) => ({
          ...reference,
          major: await majorOf(target),
        })),
      { native },
    ),
  )
  if (withServer === withScratchServer) {
    references.set(native, reading)
    // After a failure the next call tries again.
    reading.catch(() => references.delete(native))
  }
  return reading
}
