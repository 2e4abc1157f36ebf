import type pg from 'pg'
import { adviseDatabase, type Advice } from '../lint/advisors.ts'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { measureMigration } from '../measure/measure.ts'
import { fileName, type Migration } from '../../migrate/migrations.ts'
import { prepareDump } from '../dump/pg-dump.ts'
import { createSupabaseDatabase } from '../../postgres/supabase.ts'
import { readCatalog } from '../catalog/read.ts'
import { diffCatalogs } from '../compare/compare.ts'
import { remainingHunks, type Hunk } from '../compare/hunks.ts'
import type { Matching } from '../compare/match.ts'
import type { Catalog, Change } from '../catalog/model.ts'
import { dumpOwnSchemas } from '../live/schema-copy.ts'
import { applyMigrations, withScratchDatabases } from '../live/scratch.ts'
import type { Files } from './files.ts'
import type { MeasuredFile } from './report.ts'
import { tryRoundTrip, type RoundTrip } from './rollback.ts'
import type { TypesReport } from '../types/compare.ts'
import { compareTypesInThread, generateTypes, prepareTypes, type TypesSource } from '../types/thread.ts'

/** Two schemas and the differences between them. */
export interface SchemaComparison {
  readonly base: Catalog
  readonly head: Catalog
  readonly matching: Matching
  readonly changes: readonly Change[]
  readonly remaining: readonly Hunk[]
  readonly types: TypesReport
}

/** A comparison, and what is only known after the new migrations were run. */
export interface MigrationRun extends SchemaComparison {
  readonly measured: readonly Omit<MeasuredFile, 'sizes'>[]
  readonly roundTrip: RoundTrip
  readonly advice: readonly Advice[]
}

interface Sources {
  readonly base: TypesSource
  readonly head: TypesSource
}

/**
 * Applies the migrations of base to one database, clones it, and applies the added migrations to the clone. An object
 * keeps its OID in the clone, so renames are detected by OID.
 *
 * @param label the name of base in error messages.
 */
export async function runMigrations(
  admin: Target,
  files: Promise<Pick<Files, 'base' | 'added'>>,
  label: string,
  sources: Sources,
): Promise<MigrationRun> {
  const { base, added } = await files
  return withScratchDatabases(admin, 2, async (targets) => {
    const [baseDatabase, headDatabase] = [targets[0]!, targets[1]!]
    // Starts two worker threads, which load while the server applies the migrations of base.
    prepareDump()
    prepareTypes()
    await createSupabaseDatabase(admin, baseDatabase.database)
    // Read before the added migrations run: they can change roles, which all databases of the cluster share.
    const baseCatalog = await withClient(baseDatabase, async (client) => {
      await applyMigrations(client, base, label)
      return readCatalog(client)
    })
    // Cloned first: a database cannot be cloned while another session uses it.
    await clone(admin, baseDatabase, headDatabase)
    const baseDump = dumpOwnSchemas(baseDatabase, baseCatalog)
    const baseTypes = generateTypes(baseDatabase, sources.base)
    // They are awaited below. The handler prevents an unhandled rejection until then.
    for (const one of [baseDump, baseTypes]) one.catch(() => undefined)
    const measuring = withClient(headDatabase, (client) => measureAll(client, added))
    const { headCatalog, measured } = await measuring.catch(async (error: unknown) => {
      await Promise.allSettled([baseDump, baseTypes])
      throw error
    })
    const changes = diffCatalogs(baseCatalog, headCatalog, 'id')
    const catalogs = { base: baseCatalog, head: headCatalog, changes }
    // One dump after the other: the second reuses the thread of the first.
    const headDump = baseDump.then(() => dumpOwnSchemas(headDatabase, headCatalog))
    const headTypes = generateTypes(headDatabase, sources.head)
    const comparedTypes = Promise.all([baseTypes, headTypes]).then(([one, other]) => compareTypesInThread(one, other))
    const newAdvice = findNewAdvice(baseDatabase, headDatabase)
    // Uses the database of base once its unmodified schema is no longer needed: a third clone would take half a second.
    const roundTripResult = Promise.all([baseDump, baseTypes, newAdvice]).then(() =>
      withClient(baseDatabase, (client) => tryRoundTrip(client, added, catalogs)),
    )
    const all = [baseDump, headDump, comparedTypes, newAdvice, roundTripResult] as const
    const [baseText, headText, types, advice, roundTrip] = await allSettledOrThrow(all)
    return {
      base: baseCatalog,
      head: headCatalog,
      matching: 'id',
      changes,
      remaining: remainingHunks(baseText, headText, changes),
      types,
      measured,
      roundTrip,
      advice,
    }
  })
}

async function measureAll(client: pg.Client, migrations: readonly Migration[]) {
  const measured = []
  for (const migration of migrations) {
    const effects = await measureMigration(client, migration)
    measured.push({ file: fileName(migration), transaction: migration.transaction, effects })
  }
  return { headCatalog: await readCatalog(client), measured }
}

// --- Databases

/** Clones a database with its grants and settings, which a template does not pass on. */
const clone = (admin: Target, from: Target, to: Target): Promise<unknown> =>
  withClient(admin, async (client) => {
    await client.query(`create database ${to.database} template ${from.database} owner postgres`)
    await client.query(
      `with sides as (
        select o.oid as source, o.datacl, c.oid as copy from pg_database as o, pg_database as c
        where o.datname = $1 and c.datname = $2
      ), granted as (
        update pg_database as d set datacl = s.datacl from sides as s where d.oid = s.copy
      )
      insert into pg_db_role_setting (setdatabase, setrole, setconfig)
      select s.copy, r.setrole, r.setconfig from sides as s join pg_db_role_setting as r on r.setdatabase = s.source`,
      [from.database, to.database],
    )
  })

// --- Running in parallel

/**
 * Like `Promise.all`, but rejects only after every promise has settled: the databases that they use are dropped next.
 */
export async function allSettledOrThrow<T extends readonly Promise<unknown>[]>(work: T) {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** Returns the advice for head that does not apply to base. Base is examined only when there is some for head. */
async function findNewAdvice(base: Target, head: Target): Promise<Advice[]> {
  const found = await adviseDatabase(head)
  if (found.length === 0) return []
  const key = ({ name, object, message }: Advice) => `${name} ${object} ${message}`
  const known = new Set((await adviseDatabase(base)).map(key))
  return found.filter((advice) => !known.has(key(advice)))
}
