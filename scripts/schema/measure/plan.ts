import { withClient, orFailure } from '../../core/connect.ts'
import { Failure } from '../../core/failure.ts'
import type { Target } from '../../core/target.ts'
import { plural, size } from '../../core/text.ts'
import { readMigrations } from '../../migrate/migrations.ts'
import { requireMigratable, status } from '../../migrate/migrator.ts'
import { withScratchServer } from '../../postgres/scratch.ts'
import { addRanges, forecast, negligibleSeconds, formatRange, type MigrationForecast } from './forecast.ts'
import { strength, type StatementEffect } from './measure.ts'
import { rehearse } from './rehearse.ts'
import { readSizes, type TableSize } from './sizes.ts'

/** A pending migration, in the order in which `make migrate` applies them. */
export interface Planned extends MigrationForecast {
  /** Of its SQL, in bytes. */
  readonly size: number
}

export interface Plan {
  readonly migrations: readonly Planned[]
  /** The tables that they touch, as they are in the database. */
  readonly tables: readonly TableSize[]
}

/**
 * What `make migrate` would do to a database: measured on a scratch server, with the time that follows from the sizes of
 * the live tables. Reads the database only.
 *
 * @throws Failure when `make migrate` would refuse, or a migration fails on the scratch server.
 */
export async function planMigration(target: Target): Promise<Plan> {
  await withClient(target, (client) => orFailure(target, () => requireMigratable(target, client)))
  const [migrations, history] = [await readMigrations(), await status(target)]
  const refused = history.filter(({ state }) => state !== 'applied' && state !== 'pending')
  if (refused.length > 0) {
    const [{ version, name, state } = { version: '', name: '', state: '' }] = refused
    throw new Failure(`make migrate refuses ${version}_${name}.sql: ${state}`, '`make status` lists all such files')
  }
  const pending = new Set(history.filter(({ state }) => state === 'pending').map(({ version }) => version))
  if (pending.size === 0) return { migrations: [], tables: [] }
  const rehearsal = await withScratchServer((admin) => rehearse(admin, migrations, pending))
  if (rehearsal.failure) throw rehearsal.failure
  const tables = await withClient(target, (client) => orFailure(target, () => readSizes(client, tablesOf(rehearsal.migrations))))
  const sizes = new Map(migrations.map((migration) => [migration.version, Buffer.byteLength(migration.up)]))
  return {
    migrations: forecast(rehearsal.migrations, tables).map((one) => ({ ...one, size: sizes.get(one.version) ?? 0 })),
    tables,
  }
}

function tablesOf(migrations: readonly { readonly effects: readonly StatementEffect[] }[]): string[] {
  const effects = migrations.flatMap((migration) => migration.effects)
  return [
    ...new Set(
      effects.flatMap(({ locks, rewrites, scans, indexes }) => [
        ...locks.map(({ table }) => table),
        ...rewrites,
        ...scans,
        ...indexes.map(({ table }) => table),
      ]),
    ),
  ]
}

/** For people. The tables of the rehearsal are empty, so a look at the first row counts as a scan. */
export function planInText({ migrations }: Plan): string {
  if (migrations.length === 0) return 'no pending migration\n'
  const total = migrations.map(({ seconds }) => seconds).reduce(addRanges)
  const lines = migrations.flatMap(({ file, size: bytes, seconds, locks, statements }) => [
    `${file}: ${plural(statements.length, 'statement')}, ${kilobytes(bytes)}, ${formatRange(seconds)}`,
    ...locks
      .filter(({ mode, seconds: [, high] }) => strength(mode) >= strength('SHARE') || high >= negligibleSeconds)
      .map(({ mode, table, seconds: held }) => `  ${mode} on ${table} for ${formatRange(held)}`),
    ...new Set(statements.flatMap(work)),
  ])
  return [...lines, `${plural(migrations.length, 'pending migration')}, ${formatRange(total)} in all; none was applied`, ''].join('\n')
}

const work = ({ rewrites, scans, indexes, writes, isConcurrent }: StatementEffect): string[] => [
  ...rewrites.map((table) => `  rewrites ${table}`),
  ...indexes.map(
    ({ name, table }) => `  builds ${name} on ${table}${isConcurrent ? ' concurrently, after every older transaction' : ''}`,
  ),
  ...scans.filter((table) => !indexes.some((index) => index.table === table)).map((table) => `  reads ${table}`),
  ...writes.map((table) => `  changes rows of ${table}`),
]

const kilobytes = (bytes: number): string => (bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} kB` : size(bytes))
