import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { readMigrations } from '../../migrate/migrations.ts'
import { installedNative } from '../../postgres/binaries.ts'
import { withScratchServer } from '../../postgres/scratch.ts'
import type { Catalog, FactChange } from '../catalog/model.ts'
import { readCatalog } from '../catalog/read.ts'
import { compareCatalogs, type Difference } from '../compare/compare.ts'
import { isIgnoredFact, type Standing } from '../compare/ignored.ts'
import type { Pair } from '../compare/match.ts'
import { standings, type Reference } from '../compare/standing.ts'
import { makeAlike, withoutRoles, type Sides } from './alike.ts'
import { withReference, readReference } from './reference.ts'
import { withSchemaCopy } from './schema-copy.ts'
import { majorOf } from './scratch.ts'

export interface LiveDifference extends Difference {
  readonly standing: Exclude<Standing, 'ignored'>
  /** The standing of the object that it was added or removed with. */
  readonly outermostStanding: Standing | undefined
}

/** A comparison of a live database with the schema that the migrations of this repository create. */
export interface LiveComparison {
  readonly reference: Reference
  readonly live: Catalog
  /** From the reference (base) to the live database (head). */
  readonly differences: readonly LiveDifference[]
  /** The parts that could not be compared, with the reasons. */
  readonly leftOut: readonly string[]
}

export interface LiveOptions {
  /** Starts a server and passes its superuser to a function. */
  readonly withServer?: typeof withScratchServer
}

/**
 * Compares a live database with the migrations of this repository, applied on a throw-away embedded server. The server
 * has the major version of the live server if that is installed. Otherwise it has the default major version, and a copy
 * of the live schema is loaded into it. Takes two to four seconds. The live database is only read.
 *
 * @throws Failure if no embedded server can be started, or the live schema cannot be read.
 */
export async function compareWithRepository(target: Target, options: LiveOptions = {}): Promise<LiveComparison> {
  const { withServer = withScratchServer } = options
  const major = await majorOf(target)
  const native = installedNative(major)
  if (native !== undefined) {
    const { major: own, ...reference } = await readReference(native, withServer)
    if (own === major) return comparison({ reference, live: await withClient(target, readCatalog) }, [])
  }
  const migrations = await readMigrations()
  return withServer((admin) =>
    withReference(admin, migrations, 'this repository', ({ target: _, ...reference }) =>
      withSchemaCopy(
        admin,
        target,
        async (copy, live) =>
          comparison({ reference: withoutRoles(reference), live }, [copiedNote(target.label, major, await majorOf(copy))]),
        { isPartial: true },
      ),
    ),
  )
}

export const copiedNote = (label: string, live: number, own: number): string =>
  `${label} is PostgreSQL ${live} and its definitions were compared as PostgreSQL ${own} writes them, without the roles ` +
  '(`make test-matrix` installs the other majors, and then all is compared)'

function comparison(sides: Sides, leftOut: readonly string[]): LiveComparison {
  const { reference, live } = makeAlike(sides)
  return { reference, live, differences: differencesOf({ reference, live }, 'head'), leftOut }
}

/** Returns the differences of sides that `makeAlike()` has normalised, except those that compare/ignored.ts ignores. */
export function differencesOf({ reference, live }: Sides, liveIs: 'base' | 'head'): LiveDifference[] {
  const standing = standings(reference, live)
  const [base, head] = liveIs === 'head' ? [reference.catalog, live] : [live, reference.catalog]
  const isCompared = ({ base, head }: Pair, change: FactChange): boolean => {
    const [wanted, found] = liveIs === 'head' ? [change.from, change.to] : [change.to, change.from]
    return !isIgnoredFact((head ?? base)!.kind, change, wanted, found)
  }
  return compareCatalogs(base, head, 'name', isCompared).flatMap((difference): LiveDifference[] => {
    const { base, head } = difference.pair
    const on = base && head ? 'both' : (head === undefined) === (liveIs === 'base') ? 'live' : 'reference'
    const wanted = liveIs === 'head' ? base : head
    const own = standing((on === 'live' ? (head ?? base) : wanted)!, on)
    if (own === 'ignored') return []
    const outermostStanding = difference.outermost && standing(difference.outermost, on)
    return [{ ...difference, standing: own, outermostStanding }]
  })
}
