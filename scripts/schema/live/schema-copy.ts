import pg from 'pg'
import { withClient } from '../../core/connect.ts'
import { Failure } from '../../core/failure.ts'
import { withDatabase, type Target } from '../../core/target.ts'
import { createSupabaseDatabase } from '../../postgres/supabase.ts'
import { catalogOf, keyOf, type Catalog, type CatalogObject } from '../catalog/model.ts'
import { readCatalog } from '../catalog/read.ts'
import { isPlatformObject } from '../compare/ignored.ts'
import { dumpSchema } from '../dump/pg-dump.ts'
import { withScratchDatabases } from './scratch.ts'

/** Dumps all schemas except those of the platform. */
export const dumpOwnSchemas = (target: Target, { objects }: Catalog): Promise<string> => {
  const schemas = objects.filter((object) => object.kind === 'schema' && !isPlatformObject(object, undefined))
  return dumpSchema(target, { schemas: [...new Set(['public', 'private', ...schemas.map(({ name }) => name)])] })
}

/**
 * Runs `work` with a copy of a live database's schema on a server of another major version. The live database is only
 * read. The catalog is that of the live database, with definitions as the server of the copy deparses them: major
 * versions deparse the same view differently, and newer ones have more privileges.
 *
 * @param options `isPartial`: the copy may lack objects that cannot be loaded, for instance a foreign key whose unique
 * index is invalid. The catalog has them as the live server deparses them.
 */
export async function withSchemaCopy<T>(
  admin: Target,
  live: Target,
  work: (copy: Target, catalog: Catalog) => Promise<T>,
  { isPartial = false }: { isPartial?: boolean } = {},
): Promise<T> {
  const catalog = await withClient(live, readCatalog)
  const text = await dumpOwnSchemas(live, catalog)
  return withScratchDatabases(admin, 1, async ([target]) => {
    await createSupabaseDatabase(admin, target!.database)
    await withClient(withDatabase(admin, target!.database), (client) => createGrantees(client, catalog))
    await withClient(target!, (client) => load(client, text)).catch(async (cause: unknown) => {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      if (isPartial) return withClient(target!, (client) => loadEntries(client, text))
      const what = `${live.label} cannot be read on another PostgreSQL: ${cause.message} (${cause.code})`
      throw new Failure(what, 'install its own (`make test-matrix`), then compare again', { cause })
    })
    return work(target!, withDeparsedTexts(await withClient(target!, readCatalog), catalog))
  })
}

/** Loads the dump as one query. The settings at its top remain in effect on the connection. */
const load = (client: pg.Client, text: string): Promise<unknown> => client.query(text)

async function loadEntries(client: pg.Client, text: string): Promise<void> {
  for (const entry of text.split(/^(?=--\n-- Name: )/m)) {
    await client.query(entry).catch((error: unknown) => {
      if (!(error instanceof pg.DatabaseError)) throw error
    })
  }
}

/** Creates missing roles: a grant in the copy requires its grantee. */
async function createGrantees(client: pg.Client, { objects }: Catalog): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select rolname as name from pg_roles')
  const known = new Set(rows.map(({ name }) => name))
  const grantees = objects.filter(({ kind }) => kind === 'role' || kind === 'grant').map(({ name }) => name)
  for (const name of new Set(grantees)) {
    if (!known.has(name) && name !== 'PUBLIC') await client.query(`create role ${client.escapeIdentifier(name)}`)
  }
}

/** Facts that a server deparses from an internal form. */
const deparsed = [
  ...['definition', 'using', 'check', 'default', 'generated', 'body', 'arguments', 'returns', 'predicate', 'row filter'],
  ...['partition of', 'partitioned by'],
]

function withDeparsedTexts(copy: Catalog, live: Catalog): Catalog {
  const copies = new Map(copy.objects.map((object) => [keyOf(copy, object), object]))
  const objects = live.objects.flatMap((object): CatalogObject[] => {
    // Memberships have more options on PostgreSQL 16 and later.
    if (object.kind === 'role') return []
    const other = copies.get(keyOf(live, object))
    if (!other) return [object]
    if (object.kind === 'grant') return [{ ...object, facts: other.facts }]
    const texts = deparsed.flatMap((fact) => (other.facts[fact] === undefined ? [] : [[fact, other.facts[fact]]]))
    return [{ ...object, facts: { ...object.facts, ...(Object.fromEntries(texts) as Record<string, string>) } }]
  })
  return catalogOf(objects)
}
