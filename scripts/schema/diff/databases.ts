import type { Target } from '../../core/target.ts'
import { withClient } from '../../core/connect.ts'
import type { withScratchServer } from '../../postgres/scratch.ts'
import { installedNative } from '../../postgres/binaries.ts'
import { compareFiles } from './files.ts'
import { ownTypes, type Snapshot } from './git.ts'
import { observe, withMigrated, withMirror, type Pair } from './observe.ts'

export interface Database {
  readonly target: Target
  readonly label: string
}

export type Side = Snapshot | Database

export interface Observed extends Pair {
  /** What could not be compared, and why. */
  readonly leftOut: readonly string[]
}

/**
 * Two sides, at least one of them a live database, which is only read. Another major of PostgreSQL writes the same view
 * in other words, so the repository's side is made on the live one's major. Where that is not installed, or the two are
 * of different ones, a copy of the live schema is looked at instead, on our server.
 */
export async function observeDatabases(
  base: Side,
  head: Side,
  withServer: typeof withScratchServer,
): Promise<Observed> {
  const typesIn = (side: Side) => ('types' in side ? side.types : undefined)
  const types = typesIn(head) ?? typesIn(base) ?? (await ownTypes())
  const sources = { base: types, head: types }
  const live = [base, head].flatMap((side) => ('target' in side ? [side.target] : []))
  const majors = await Promise.all(live.map(majorOf))
  if (live.length === 2 && majors[0] === majors[1]) {
    return { ...(await observe(live[0]!, live[1]!, sources)), leftOut: [] }
  }
  const native = installedNative(majors[0]!)
  return withServer(async (admin) => {
    const major = await majorOf(admin)
    const leftOut: string[] = []
    const lend = async <T>(side: Side, work: (target: Target) => Promise<T>): Promise<T> => {
      if (!('target' in side)) {
        const { base: migrations } = await compareFiles(side, side, side)
        return withMigrated(admin, migrations, side.label, work)
      }
      const own = majors[live.indexOf(side.target)]!
      if (own === major) return work(side.target)
      leftOut.push(
        `${side.label} is PostgreSQL ${own} and was compared as PostgreSQL ${major} understands it: ` +
          'not who owns what, no roles, extensions or settings (`make test-matrix` installs the others, and then all is compared)',
      )
      return withMirror(admin, side.target, work)
    }
    const seen = await lend(base, (one) => lend(head, (other) => observe(one, other, sources)))
    return { ...seen, leftOut }
  }, native === undefined ? {} : { native })
}

const majorOf = (target: Target): Promise<number> =>
  withClient(target, async (client) => {
    const { rows } = await client.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    )
    return rows[0]!.major
  })
