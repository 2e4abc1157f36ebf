import { strength, type LockMode, type StatementEffect } from './measure.ts'
import type { MeasuredMigration } from './rehearse.ts'
import type { TableSize } from './sizes.ts'

/** In seconds, a low estimate and a high one. */
export type Range = readonly [low: number, high: number]

export interface MigrationForecast {
  readonly version: string
  readonly file: string
  readonly statements: readonly StatementForecast[]
  /** The strongest of each table, and for how long it is held. */
  readonly locks: readonly HeldLock[]
  readonly seconds: Range
}

export interface StatementForecast extends StatementEffect {
  readonly seconds: Range
}

export interface HeldLock {
  readonly table: string
  readonly mode: LockMode
  readonly seconds: Range
}

/**
 * Low and high estimates of the cost per table. Both rewrite figures and the low figures of index and scan were measured
 * on two shared cores with a local disk. The other high figures are assumptions for a small instance with a network disk.
 * They are orders of magnitude, so durations are printed with one significant digit.
 */
export const rates = {
  /** Seconds per million rows to rewrite a table: 3 to 7 with about 0.3 kB per row. */
  rewrite: [3, 7],
  /** Seconds per million rows to build an index: 0.5 on a timestamp column, more on text and uuid columns. */
  index: [0.5, 3],
  /** Seconds per million rows to read all rows and evaluate a check or a foreign key: 0.5 with the table in memory. */
  scan: [0.3, 1.5],
  /** Bytes per second read and written, which limits tables with wide rows: from memory, and from a network disk. */
  bytes: [1e9, 1e8],
} as const satisfies Readonly<Record<string, Range>>

/** A lock that is held for less than this many seconds is not reported as blocking. */
export const negligibleSeconds = 1

export const addRanges = ([low, high]: Range, [more, most]: Range): Range => [low + more, high + most]

const zero: Range = [0, 0]

const sum = (ranges: readonly Range[]): Range => ranges.reduce(addRanges, zero)

/** The time for the rows or for `passes` reads of the bytes, whichever is longer. */
const cost = (perMillion: Range, table: TableSize | undefined, passes: number, bytes = table?.bytes ?? 0): Range => {
  if (!table) return zero
  const [low, high] = ([0, 1] as const).map((end) =>
    Math.max((perMillion[end] * table.rows) / 1e6, (bytes * passes) / rates.bytes[end]),
  )
  return [low!, high!]
}

export const rewriteTime = (table: TableSize | undefined): Range => cost(rates.rewrite, table, 2)

export function forecast(migrations: readonly MeasuredMigration[], sizes: readonly TableSize[]): MigrationForecast[] {
  const size = new Map(sizes.map((table) => [table.table, table]))
  return migrations.map(({ version, file, effects }) => {
    const statements = effects.map((effect) => ({ ...effect, seconds: statementTime(effect, size) }))
    const seconds = sum(statements.map((statement) => statement.seconds))
    return { version, file, statements, locks: heldLocks(statements), seconds }
  })
}

function statementTime(effect: StatementEffect, size: ReadonlyMap<string, TableSize>): Range {
  // A plain index build scans the table once, a concurrent one twice.
  const builds = effect.indexes.map(({ table }) => cost(rates.index, size.get(table), effect.isConcurrent ? 2 : 1))
  // Scans that a rewrite or an index build of the same table does not already include.
  const scans = effect.scans.filter(
    (table) => !effect.rewrites.includes(table) && !effect.indexes.some((index) => index.table === table),
  )
  return sum([
    ...effect.rewrites.map((table) => rewriteTime(size.get(table))),
    ...builds,
    ...scans.map((table) => cost(rates.scan, size.get(table), 1)),
  ])
}

/** The strongest lock on each table. A lock is held from its statement to the end of the transaction. */
function heldLocks(statements: readonly StatementForecast[]): HeldLock[] {
  const held = new Map<string, HeldLock>()
  statements.forEach(({ locks }, at) => {
    const seconds = sum(statements.slice(at).map((statement) => statement.seconds))
    for (const lock of locks) {
      const known = held.get(lock.table)
      if (!known || strength(lock.mode) > strength(known.mode)) held.set(lock.table, { ...lock, seconds })
    }
  })
  return [...held.values()]
}

/** Formats a range with one significant digit for each end: `about 3 to 7 s`. */
export function formatRange([low, high]: Range): string {
  if (high < negligibleSeconds) return 'under a second'
  const unit = high >= 7200 ? ([3600, 'h'] as const) : high >= 120 ? ([60, 'min'] as const) : ([1, 's'] as const)
  const [from, to] = [low, high].map((value) => Number((value / unit[0]).toPrecision(1)))
  if (low < negligibleSeconds) return `up to about ${to} ${unit[1]}`
  return from === to ? `about ${to} ${unit[1]}` : `about ${from} to ${to} ${unit[1]}`
}
