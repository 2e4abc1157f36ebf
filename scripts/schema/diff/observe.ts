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
import { apply, roundTrip, type RoundTrip } from './rollback.ts'
import type { TypesReport } from '../types/compare.ts'
import { compareTypesBeside, generateTypes, prepareTypes, type TypesSource } from '../types/thread.ts'

/** Two schemas side by side. */
export interface Pair {
  readonly base: Catalog
  readonly head: Catalog
  readonly matching: Matching
  readonly changes: readonly Change[]
  readonly remaining: readonly Hunk[]
  readonly types: TypesReport
}

/** What is only to be had by running the new migrations. */
export interface Rehearsed extends Pair {
  readonly measured: readonly Omit<MeasuredFile, 'sizes'>[]
  readonly trip: RoundTrip
  readonly advice: readonly Advice[]
}

interface Sources {
  readonly base: TypesSource
  readonly head: TypesSource
}

/**
 * Applies the migrations of base to one database and those added to clones of it, so that object ids tell what is what.
 *
 * @param label what base is called.
 */
export async function rehearse(
  admin: Target,
  files: Promise<Pick<Files, 'base' | 'added'>>,
  label: string,
  sources: Sources,
): Promise<Rehearsed> {
  const { base, added } = await files
  return withDatabases(admin, async ([of, clone]) => {
    // What only the server works for takes a second, in which the other core loads what is needed after.
    prepareDump()
    prepareTypes()
    await createSupabaseDatabase(admin, of.database)
    // Before head is migrated: roles belong to the cluster.
    const was = await withClient(of, async (client) => {
      await applyBase(client, base, label)
      return readCatalog(client)
    })
    // A database that somebody looks at has no clones, so base is dumped after.
    await copy(admin, of, clone)
    const dumping = dump(of, was)
    const typing = generateTypes(of, sources.base)
    // Heard below; until then it is no failure that nobody hears.
    for (const one of [dumping, typing]) one.catch(() => undefined)
    const measuring = withClient(clone, (client) => measureAll(client, added))
    const { is, measured } = await measuring.catch(async (error: unknown) => {
      await Promise.allSettled([dumping, typing])
      throw error
    })
    const changes = diffCatalogs(was, is, 'id')
    const tryOut = (client: pg.Client) => roundTrip(client, added, { base: was, head: is, changes })
    // One dump after the other, for the second is faster in the thread of the first.
    const dumpingHead = dumping.then(() => dump(clone, is))
    const typingHead = generateTypes(clone, sources.head)
    const comparing = Promise.all([typing, typingHead]).then(([one, other]) => compareTypesBeside(one, other))
    const advising = newAdvice(of, clone)
    // On base itself, once nobody has to see it any more as it is: a third database would take half a second.
    const trying = Promise.all([dumping, typing, advising]).then(() => withClient(of, tryOut))
    const all = [dumping, dumpingHead, comparing, advising, trying] as const
    const [dumpOfBase, dumpOfHead, types, advice, trip] = await allEnded(all)
    return {
      base: was,
      head: is,
      matching: 'id',
      changes,
      remaining: remainingHunks(dumpOfBase, dumpOfHead, changes),
      types,
      measured,
      trip,
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
  return { is: await readCatalog(client), measured }
}

/** Of two databases that have nothing to do with each other, read only. */
export async function observe(base: Target, head: Target, sources: Sources): Promise<Pair> {
  const [was, is] = [await readOwn(base), await readOwn(head)]
  const changes = diffCatalogs(was, is, 'name')
  return {
    base: was,
    head: is,
    matching: 'name',
    changes,
    remaining: remainingHunks(await dump(base, was), await dump(head, is), changes),
    types: await compareTypesBeside(await generateTypes(base, sources.base), await generateTypes(head, sources.head)),
  }
}

/** Lends a database with these migrations. */
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

/** Lends a copy of another database's schema, for which that one is only read. */
export async function withMirror<T>(admin: Target, live: Target, work: (target: Target) => Promise<T>): Promise<T> {
  const catalog = await readOwn(live)
  const text = await dump(live, catalog)
  return withDatabases(admin, async ([target]) => {
    await createSupabaseDatabase(admin, target.database)
    await withClient(withDatabase(admin, target.database), (client) => layGrantees(client, catalog))
    try {
      // The settings at its top stay with the connection.
      await withClient(target, (client) => client.query(text))
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      const what = `${live.label} cannot be read on another PostgreSQL: ${cause.message} (${cause.code})`
      throw new Failure(what, 'install its own (`make test-matrix`), then compare again', { cause })
    }
    return work(target)
  })
}

/** Whoever is granted something there has to be here. */
async function layGrantees(client: pg.Client, { objects }: Catalog): Promise<void> {
  const { rows } = await client.query<{ name: string }>('select rolname as name from pg_roles')
  const known = new Set(rows.map(({ name }) => name))
  const grantees = objects.filter(({ kind }) => kind === 'role' || kind === 'grant').map(({ name }) => name)
  for (const name of new Set(grantees)) {
    if (!known.has(name) && name !== 'PUBLIC') await client.query(`create role ${client.escapeIdentifier(name)}`)
  }
}

// --- Databases

type Two = readonly [Target, Target]

/** Names of databases for the owner to use, dropped at the end. */
async function withDatabases<T>(admin: Target, work: (targets: Two) => Promise<T>): Promise<T> {
  const name = `diff_${randomBytes(6).toString('hex')}`
  const targets: Two = [ownerOf(withDatabase(admin, `${name}_base`)), ownerOf(withDatabase(admin, `${name}_head`))]
  try {
    return await work(targets)
  } finally {
    await withClient(admin, async (client) => {
      for (const { database } of targets) await client.query(`drop database if exists ${database} with (force)`)
    })
  }
}

const copy = (admin: Target, from: Target, to: Target): Promise<unknown> =>
  withClient(admin, (client) =>
    client.query(`create database ${to.database} template ${from.database} owner postgres`),
  )

async function applyBase(client: pg.Client, migrations: readonly Migration[], label: string): Promise<void> {
  for (const migration of migrations) {
    try {
      await apply(client, migration.up, migration.transaction)
    } catch (cause) {
      if (!(cause instanceof pg.DatabaseError)) throw cause
      const what = `${fileName(migration)}: ${cause.message} (${cause.code})`
      throw new Failure(`${label} no longer applies: ${what}`, 'see to that first', { cause })
    }
  }
}

/**
 * What migrations make: not the bookkeeping, nor who logs in, nor what the platform grants by default and publishes.
 */
async function readOwn(target: Target): Promise<Catalog> {
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

// --- Beside it

/** Fails only when all have ended: the databases that they work in are dropped then. */
export async function allEnded<T extends readonly Promise<unknown>[]>(work: T) {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** Base is asked only when there is something to compare. */
async function newAdvice(base: Target, head: Target): Promise<Advice[]> {
  const found = await adviseDatabase(head)
  if (found.length === 0) return []
  const key = ({ name, object, message }: Advice) => `${name} ${object} ${message}`
  const known = new Set((await adviseDatabase(base)).map(key))
  return found.filter((advice) => !known.has(key(advice)))
}
