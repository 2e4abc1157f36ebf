import type { Target } from '../../core/target.ts'
import { withClient } from '../../core/connect.ts'
import type { withScratchServer } from '../../postgres/scratch.ts'
import { installedNative } from '../../postgres/binaries.ts'
import { compareFiles } from './files.ts'
import { ownTypes, type Snapshot } from './git.ts'
import { compareSchemas, withMigrated, withSchemaCopy, type SchemaComparison } from './compare-schemas.ts'

export interface Database {
  readonly target: Target
  readonly label: string
}

export type Side = Snapshot | Database

export interface DatabaseComparison extends SchemaComparison {
  /** What could not be compared, and why. */
  readonly leftOut: readonly string[]
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
  const sources = { base: types, head: types }
  const live = [base, head].flatMap((side) => ('target' in side ? [side.target] : []))
  const majors = await Promise.all(live.map(majorOf))
  if (live.length === 2 && majors[0] === majors[1]) {
    return { ...(await compareSchemas(live[0]!, live[1]!, sources)), leftOut: [] }
  }
  const native = installedNative(majors[0]!)
  return withServer(async (admin) => {
    const major = await majorOf(admin)
    const leftOut: string[] = []
    const withSide = async <T>(side: Side, work: (target: Target) => Promise<T>): Promise<T> => {
      if (!('target' in side)) {
        const { base: migrations } = await compareFiles(side, side, side)
        return withMigrated(admin, migrations, side.label, work)
      }
      const liveMajor = majors[live.indexOf(side.target)]!
      if (liveMajor === major) return work(side.target)
      leftOut.push(
        `${side.label} runs PostgreSQL ${liveMajor}; its schema was copied to PostgreSQL ${major} to compare it. ` +
          'Owners, roles, extensions and settings were not compared. To compare everything, install its major version: ' +
          '`make test-matrix`',
      )
      return withSchemaCopy(admin, side.target, work)
    }
    const comparison = await withSide(base, (one) => withSide(head, (other) => compareSchemas(one, other, sources)))
    return { ...comparison, leftOut }
  }, native === undefined ? {} : { native })
}

const majorOf = (target: Target): Promise<number> =>
  withClient(target, async (client) => {
    const { rows } = await client.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    )
    return rows[0]!.major
  })
