import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { adviseDatabase, type Advice } from '../lint/advisors.ts'
import { withClient } from '../../core/connect.ts'
import { withDatabase, type Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { measureMigration } from '../measure/measure.ts'
import { fileName, type Migration } from '../../migrate/migrations.ts'
import { dumpSchema, prepareDump } from '../dump/pg-dump.ts'
import { ownerOf } from '../../postgres/scratch.ts'
import { createSupabaseDatabase } from '../../postgres/supabase.ts'
import { readCatalog } from '../catalog/read.ts'
import { diffCatalogs } from '../compare/compare.ts'
import { remainingHunks, type Hunk } from '../compare/hunks.ts'
import { platform, type Matching } from '../compare/match.ts'
import type { Catalog, Change } from '../catalog/model.ts'
import type { Files } from './files.ts'
import type { MeasuredFile } from './report.ts'
import { apply, tryRoundTrip, type RoundTrip } from './rollback.ts'
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
  return withDatabases(admin, async ([baseDatabase, headDatabase]) => {
    // Starts two worker threads, which load while the server applies the migrations of base.
    prepareDump()
    prepareTypes()
    await createSupabaseDatabase(admin, baseDatabase.database)
    // Read before the added migrations run: they can change roles, which all databases of the cluster share.
    const baseCatalog = await withClient(baseDatabase, async (client) => {
      await applyBase(client, base, label)
      return readCatalog(client)
    })
    // Cloned first: a database cannot be cloned while another session uses it.
    await clone(admin, baseDatabase, headDatabase)
    const baseDump = dump(baseDatabase, baseCatalog)
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
    const headDump = baseDump.then(() => dump(headDatabase, headCatalog))
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

/** Compares two unrelated databases by object names. Both are only read. */
export async function compareSchemas(base: Target, head: Target, sources: Sources): Promise<SchemaComparison> {
  const [baseCatalog, headCatalog] = [await readOwnCatalog(base), await readOwnCatalog(head)]
  const changes = diffCatalogs(baseCatalog, headCatalog, 'name')
  return {
    base: baseCatalog,
    head: headCatalog,
    matching: 'name',
    changes,
    remaining: remainingHunks(await dump(base, baseCatalog), await dump(head, headCatalog), changes),
    types: await compareTypesInThread(await generateTypes(base, sources.base), await generateTypes(head, sources.head)),
  }
}

/** Calls `work` with a temporary database that has these migrations. */
export async function withMigrated<T>(
  admin: Target,
  migrations: readonly Migration[],
  label: string,
  work: (target: Target) => Promise<T>,
): Promise<T> {
  return withDatabases(admin, async ([target]) => {
    await createSupabaseDatabase(admin, target.database)
    await withClient(target, (client) => applyBase(client, migrations, label))
    return work(target)
  })
}

/** Calls `work` with a copy of a live database's schema. The live database is only read. */
export async function withSchemaCopy<T>(admin: Target, live: Target, work: (target: Target) => Promise<T>): Promise<T> {
  const catalog = await readOwnCatalog(live)
  const text = await dump(live, catalog)
  return withDatabases(admin, async ([target]) => {
    await createSupabaseDatabase(admin, target.database)
    await withClient(withDatabase(admin, target.database), (client) => createGrantees(client, catalog))
    try {
      // On a separate connection: the dump changes session settings.
      await withClient(target, (client) => client.query(text))
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      const message = `the schema of ${live.label} cannot be copied: ${cause.message} (${cause.code})`
      throw new Failure(message, 'install its major version (`make test-matrix`), then compare again', { cause })
    }
    return work(target)
  })
}

/** Creates the roles that the copied schema grants privileges to. */
async function createGrantees(client: pg.Client, { objects }: Catalog): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select rolname as name from pg_roles')
  const existing = new Set(rows.map(({ name }) => name))
  const grantees = objects.filter(({ kind }) => kind === 'role' || kind === 'grant').map(({ name }) => name)
  for (const name of new Set(grantees)) {
    if (!existing.has(name) && name !== 'PUBLIC') await client.query(`create role ${client.escapeIdentifier(name)}`)
  }
}

// --- Databases

type TwoTargets = readonly [base: Target, head: Target]

/** Calls `work` with two unused database names, which it may create. Drops the databases at the end. */
async function withDatabases<T>(admin: Target, work: (targets: TwoTargets) => Promise<T>): Promise<T> {
  const name = `diff_${randomBytes(6).toString('hex')}`
  const targets: TwoTargets = [ownerOf(withDatabase(admin, `${name}_base`)), ownerOf(withDatabase(admin, `${name}_head`))]
  try {
    return await work(targets)
  } finally {
    await withClient(admin, async (client) => {
      for (const { database } of targets) await client.query(`drop database if exists ${database} with (force)`)
    })
  }
}

const clone = (admin: Target, from: Target, to: Target): Promise<unknown> =>
  withClient(admin, (client) =>
    client.query(`create database ${to.database} template ${from.database} owner postgres`),
  )

async function applyBase(client: pg.Client, migrations: readonly Migration[], label: string): Promise<void> {
  for (const migration of migrations) {
    try {
      await apply(client, migration.up, migration.transaction)
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      const message = `${fileName(migration)}: ${cause.message} (${cause.code})`
      throw new Failure(`the migrations of ${label} fail: ${message}`, 'correct them, or name another base', { cause })
    }
  }
}

/**
 * Reads the catalog without objects that no migration creates: the bookkeeping of dbmate, login roles, default
 * privileges and publications of the platform.
 */
async function readOwnCatalog(target: Target): Promise<Catalog> {
  const { objects, byId } = await withClient(target, readCatalog)
  const isPublished = (name: string | undefined) => name?.startsWith('supabase_') ?? false
  const own = objects.filter(({ schema, kind, name, parent, facts }) => {
    if (kind === 'role') return facts['login'] !== 'true'
    if (kind === 'default privileges') return name.includes(` made by ${target.user} to `)
    if (kind === 'publication') return !isPublished(name)
    if (kind === 'published table' || kind === 'published schema') return !isPublished(byId.get(parent ?? '')?.name)
    const owner = parent === null ? undefined : byId.get(parent)
    return schema !== 'dbmate' && !(kind === 'schema' && name === 'dbmate') && owner?.name !== 'dbmate'
  })
  return { objects: own, byId: new Map(own.map((object) => [object.id, object])) }
}

const dump = (target: Target, { objects }: Catalog): Promise<string> => {
  const schemas = objects.filter(({ kind, name }) => kind === 'schema' && !platform.has(name)).map(({ name }) => name)
  return dumpSchema(target, { schemas: [...new Set(['public', 'private', ...schemas])] })
}

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
