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
import { dumpOwnSchemas } from '../live/schema-copy.ts'
import { applyMigrations, withScratchDatabases } from '../live/scratch.ts'
import type { Catalog, Change } from '../catalog/model.ts'
import type { Files } from './files.ts'
import type { TypesSource } from './git.ts'
import type { MeasuredFile, TypesReport } from './report.ts'
import { roundTrip, type RoundTrip } from './rollback.ts'
import { compareTypesBeside, generateTypes, prepareTypes } from '../types/thread.ts'

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
  return withScratchDatabases(admin, 2, async (targets) => {
    const [of, clone] = [targets[0]!, targets[1]!]
    // What only the server works for takes a second, in which the other core loads what is needed after.
    prepareDump()
    prepareTypes()
    await createSupabaseDatabase(admin, of.database)
    // Before head is migrated: roles belong to the cluster.
    const was = await withClient(of, async (client) => {
      await applyMigrations(client, base, label)
      return readCatalog(client)
    })
    // A database that somebody looks at has no clones, so base is dumped after.
    await copy(admin, of, clone)
    const dumping = dumpOwnSchemas(of, was)
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
    const dumpingHead = dumping.then(() => dumpOwnSchemas(clone, is))
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

// --- Databases

/** A template passes on neither the grants on a database nor its settings. */
const copy = (admin: Target, from: Target, to: Target): Promise<unknown> =>
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
