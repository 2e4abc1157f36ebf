import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { adviseDatabase, type Advice } from '../../advisors.ts'
import { withClient } from '../../connect.ts'
import { withDatabase, type Target } from '../../database-url.ts'
import { Failure } from '../../failure.ts'
import { measureMigration } from '../../measure.ts'
import { fileName, type Migration } from '../../migrations.ts'
import { dumpSchema } from '../../pg-dump.ts'
import { ownerOf } from '../../scratch.ts'
import { createSupabaseDatabase } from '../../supabase.ts'
import { readCatalog } from '../catalog.ts'
import { diffCatalogs } from '../diff.ts'
import { remainingHunks, type Hunk } from '../hunks.ts'
import { platform, type Matching } from '../match.ts'
import type { Catalog, Change } from '../model.ts'
import { generateTypes } from './codegen.ts'
import type { MeasuredFile } from './report.ts'
import { apply, roundTrip, type RoundTrip } from './rollback.ts'

/** Two schemas side by side. */
export interface Pair {
  readonly base: Catalog
  readonly head: Catalog
  readonly matching: Matching
  readonly changes: readonly Change[]
  readonly remaining: readonly Hunk[]
  readonly types: { readonly base: string; readonly head: string }
}

/** What is only to be had by running the new migrations. */
export interface Rehearsed extends Pair {
  readonly measured: readonly Omit<MeasuredFile, 'sizes'>[]
  readonly trip: RoundTrip
  readonly advice: readonly Advice[]
}

interface Configs {
  readonly base: string
  readonly head: string
}

/** Applies `base` to one database and `added` to a clone of it, so that object ids tell what is what. */
export async function rehearse(
  admin: Target,
  { base, added, label, configs }: {
    readonly base: readonly Migration[]
    readonly added: readonly Migration[]
    /** What base is called. */
    readonly label: string
    readonly configs: Configs
  },
): Promise<Rehearsed> {
  return withDatabases(admin, async ([of, clone, trial]) => {
    await createSupabaseDatabase(admin, of.database)
    // Before head is migrated: roles belong to the cluster.
    const was = await withClient(of, async (client) => {
      await applyBase(client, base, label)
      return readCatalog(client)
    })
    await copy(admin, of, clone)
    const before = together(dump(of, was), generateTypes(of, configs.base))
    const { is, measured } = await withClient(clone, async (client) => {
      const measured = []
      for (const migration of added) {
        const effects = await measureMigration(client, migration)
        measured.push({ file: fileName(migration), transaction: migration.transaction, effects })
      }
      return { is: await readCatalog(client), measured }
    })
    await copy(admin, clone, trial)
    const changes = diffCatalogs(was, is, 'id')
    const [[dumpOfBase, typesOfBase], dumpOfHead, typesOfHead, trip, advice] = await Promise.all([
      before,
      dump(clone, is),
      generateTypes(clone, configs.head),
      withClient(trial, (client) => roundTrip(client, added, { base: was, head: is, changes })),
      newAdvice(of, clone),
    ])
    return {
      base: was,
      head: is,
      matching: 'id',
      changes,
      remaining: remainingHunks(dumpOfBase, dumpOfHead, changes),
      types: { base: typesOfBase, head: typesOfHead },
      measured,
      trip,
      advice,
    }
  })
}

/** Of two databases that have nothing to do with each other, read only. */
export async function observe(base: Target, head: Target, configs: Configs): Promise<Pair> {
  const [was, is] = [await readOwn(base), await readOwn(head)]
  const changes = diffCatalogs(was, is, 'name')
  return {
    base: was,
    head: is,
    matching: 'name',
    changes,
    remaining: remainingHunks(await dump(base, was), await dump(head, is), changes),
    types: { base: await generateTypes(base, configs.base), head: await generateTypes(head, configs.head) },
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

// --- Databases

type Three = readonly [Target, Target, Target]

/** Names of databases for the owner to use, dropped at the end. */
async function withDatabases<T>(admin: Target, work: (targets: Three) => Promise<T>): Promise<T> {
  const name = `diff_${randomBytes(6).toString('hex')}`
  const [one, two, three] = ['base', 'head', 'trial'].map((side) => ownerOf(withDatabase(admin, `${name}_${side}`)))
  const targets: Three = [one!, two!, three!]
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

/** The bookkeeping is no matter of the migrations. */
async function readOwn(target: Target): Promise<Catalog> {
  const { objects } = await withClient(target, readCatalog)
  const own = objects.filter(({ schema, kind, name }) =>
    schema !== 'dbmate' && !(kind === 'schema' && name === 'dbmate'))
  return { objects: own, byId: new Map(own.map((object) => [object.id, object])) }
}

const dump = (target: Target, { objects }: Catalog): Promise<string> => {
  const schemas = objects.filter(({ kind, name }) => kind === 'schema' && !platform.has(name)).map(({ name }) => name)
  return dumpSchema(target, { schemas: [...new Set(['public', 'private', ...schemas])] })
}

// --- Beside it

/** Awaited later: a failure before that is not unheard of, only not heard yet. */
function together<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  const both = Promise.all([one, other])
  both.catch(() => undefined)
  return both
}

/** Base is asked only when there is something to compare. */
async function newAdvice(base: Target, head: Target): Promise<Advice[]> {
  const found = await adviseDatabase(head)
  if (found.length === 0) return []
  const key = ({ name, object, message }: Advice) => `${name} ${object} ${message}`
  const known = new Set((await adviseDatabase(base)).map(key))
  return found.filter((advice) => !known.has(key(advice)))
}
