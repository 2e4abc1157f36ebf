import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { installedNative } from '../../postgres/binaries.ts'
import type { withScratchServer } from '../../postgres/scratch.ts'
import type { Catalog, CatalogObject, Change } from '../catalog/model.ts'
import { readCatalog } from '../catalog/read.ts'
import { diffCatalogs, sortChanges } from '../compare/compare.ts'
import { remainingHunks } from '../compare/hunks.ts'
import { withoutIgnored, type Reference } from '../compare/standing.ts'
import { makeAlike, withoutRoles } from '../live/alike.ts'
import { copiedNote, differencesOf, type LiveDifference } from '../live/compare-live.ts'
import { withReference } from '../live/reference.ts'
import { dumpOwnSchemas, withSchemaCopy } from '../live/schema-copy.ts'
import { majorOf } from '../live/scratch.ts'
import type { TypesReport } from '../types/compare.ts'
import { compareTypesInThread, generateTypes, type TypesSource } from '../types/thread.ts'
import { compareFiles } from './files.ts'
import { ownTypes, type Snapshot } from './git.ts'
import type { SchemaComparison } from './run-migrations.ts'

export interface Database {
  readonly target: Target
  readonly label: string
}

export type Side = Snapshot | Database

export interface DatabaseComparison extends SchemaComparison {
  /** What could not be compared, and why. */
  readonly leftOut: readonly string[]
}

/** A side while it is compared: a database to dump and to generate types from, and its catalog. */
interface ComparedSide {
  readonly target: Target
  readonly catalog: Catalog
  /** Of a side that the migrations made. */
  readonly reference?: Reference
  /** A copy has no roles. */
  readonly isCopy?: true
}

/**
 * Compares two sides, at least one of which is a live database. Live databases are only read.
 *
 * Major versions of PostgreSQL print the same view definition differently, so the repository's migrations are applied
 * on the live database's major version. If that version is not installed, or if two live databases have different major
 * versions, the live schema is copied to the temporary server and the copy is compared.
 */
export async function compareWithDatabase(
  base: Side,
  head: Side,
  withServer: typeof withScratchServer,
): Promise<DatabaseComparison> {
  const typesIn = (side: Side) => ('types' in side ? side.types : undefined)
  const types = typesIn(head) ?? typesIn(base) ?? (await ownTypes())
  const live = [base, head].flatMap((side) => ('target' in side ? [side.target] : []))
  const majors = await Promise.all(live.map(majorOf))
  const openLive = async (target: Target): Promise<ComparedSide> => ({ target, catalog: await withClient(target, readCatalog) })
  if (live.length === 2 && majors[0] === majors[1]) {
    return { ...(await compareSides(await openLive(live[0]!), await openLive(live[1]!), types)), leftOut: [] }
  }
  const native = installedNative(majors[0]!)
  return withServer(async (admin) => {
    const major = await majorOf(admin)
    const leftOut: string[] = []
    const withSide = async <T>(side: Side, work: (side: ComparedSide) => Promise<T>): Promise<T> => {
      if (!('target' in side)) {
        const { base: migrations } = await compareFiles(side, side, side)
        return withReference(admin, migrations, side.label, ({ target, ...reference }) =>
          work({ target, catalog: reference.catalog, reference }),
        )
      }
      const own = majors[live.indexOf(side.target)]!
      if (own === major) return work(await openLive(side.target))
      leftOut.push(copiedNote(side.label, own, major))
      return withSchemaCopy(admin, side.target, (target, catalog) => work({ target, catalog, isCopy: true }))
    }
    const observed = await withSide(base, (one) => withSide(head, (other) => compareSides(one, other, types)))
    return { ...observed, leftOut }
  }, native === undefined ? {} : { native })
}

async function compareSides(base: ComparedSide, head: ComparedSide, source: TypesSource): Promise<SchemaComparison> {
  const { catalogs, changes, foreign } = differences(base, head)
  const all = diffCatalogs(base.catalog, head.catalog, 'name')
  const [was, is] = [await generateTypes(base.target, source), await generateTypes(head.target, source)]
  return {
    ...catalogs,
    matching: 'name',
    changes,
    remaining: remainingHunks(
      await dumpOwnSchemas(base.target, base.catalog),
      await dumpOwnSchemas(head.target, head.catalog),
      // What is left out of the report explains lines of the dumps, too.
      all,
    ),
    types: withoutForeign(await compareTypesInThread(was, is), foreign),
  }
}

interface Compared {
  readonly catalogs: Pick<SchemaComparison, 'base' | 'head'>
  readonly changes: readonly Change[]
  /** Objects that only the live database has and the migrations did not make. */
  readonly foreign: readonly CatalogObject[]
}

/** With the repository on one side the same differences as `make verify` reports. */
function differences(base: ComparedSide, head: ComparedSide): Compared {
  const made = base.reference ?? head.reference
  const reference = made && (base.isCopy || head.isCopy) ? withoutRoles(made) : made
  if (!reference) {
    const [was, is] = [withoutIgnored(base.catalog, base.target.user), withoutIgnored(head.catalog, head.target.user)]
    return { catalogs: { base: was, head: is }, changes: diffCatalogs(was, is, 'name'), foreign: [] }
  }
  const liveIs = base.reference ? 'head' : 'base'
  const sides = makeAlike({ reference, live: liveIs === 'head' ? head.catalog : base.catalog })
  const found = differencesOf(sides, liveIs)
  const ours = sides.reference.catalog
  return {
    catalogs: liveIs === 'head' ? { base: ours, head: sides.live } : { base: sides.live, head: ours },
    changes: sortChanges(found.flatMap((difference) => (liveIs === 'head' ? difference.changes : keepForeign(difference)))),
    foreign: found.flatMap(({ standing, pair }) => (standing === 'foreign' ? [(pair.head ?? pair.base)!] : [])),
  }
}

/** The migrations do not drop what they did not create. */
const keepForeign = ({ standing, changes }: LiveDifference): readonly Change[] =>
  standing === 'foreign' ? changes.map((change) => ({ ...change, severity: 'additive', reasons: [] })) : changes

/** A table that is not ours is in the generated types of the live database only, and no consumer of ours uses it. */
function withoutForeign({ changes }: TypesReport, foreign: readonly CatalogObject[]): TypesReport {
  const tables = foreign
    .filter(({ kind }) => /table$|view$/.test(kind))
    .map(({ schema, name }) => (schema === 'public' ? name : `${schema}.${name}`))
  const isForeignTable = ({ type, member }: TypesReport['changes'][number]) => type === 'DB' && tables.includes(member ?? '')
  const types = changes.filter(isForeignTable).flatMap(({ from, to }) => [from, to])
  const own = changes.filter((change) => !isForeignTable(change) && !types.includes(change.type))
  const isMajor = own.some(({ breaks }) => breaks !== null)
  return { changes: own, bump: isMajor ? 'major' : own.length > 0 ? 'minor' : 'none' }
}

