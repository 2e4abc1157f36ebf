import { strength, type LockMode, type StatementEffect } from './measure.ts'
import type { Rehearsed } from './rehearse.ts'
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
 * What a table costs, from a low figure to a high one. The rewrite and the low figures of index and scan were measured on
 * two shared cores with a local disk; the other high ones are assumed, for a small instance with a network disk. Orders
 * of magnitude, so nothing finer is ever printed.
 */
export const rates = {
  /** Seconds per million rows for a new copy of a table: 3 to 7 for a request table of some 0.3 kB a row. */
  rewrite: [3, 7],
  /** The same for an index: 0.5 when ALTER TABLE rebuilds one on a timestamp, more for text and uuids. */
  index: [0.5, 3],
  /** The same for reading all rows and evaluating a check or a key on them: 0.5 with the table in memory. */
  scan: [0.3, 1.5],
  /** Bytes per second from and to the disk, which sets the pace of wide rows: from memory, and from a network disk. */
  bytes: [1e9, 1e8],
} as const satisfies Readonly<Record<string, Range>>

/** Below it nobody notices, whatever the lock. */
export const instant = 1

export const add = ([low, high]: Range, [more, most]: Range): Range => [low + more, high + most]

const none: Range = [0, 0]

const sum = (ranges: readonly Range[]): Range => ranges.reduce(add, none)

/** So many passes over the rows, or the bytes, whichever is slower. */
const cost = (perMillion: Range, table: TableSize | undefined, passes: number, bytes = table?.bytes ?? 0): Range => {
  if (!table) return none
  const [low, high] = ([0, 1] as const).map((end) =>
    Math.max((perMillion[end] * table.rows) / 1e6, (bytes * passes) / rates.bytes[end]),
  )
  return [low!, high!]
}

export const rewriteTime = (table: TableSize | undefined): Range => cost(rates.rewrite, table, 2)

export function forecast(migrations: readonly Rehearsed[], sizes: readonly TableSize[]): MigrationForecast[] {
  const size = new Map(sizes.map((table) => [table.table, table]))
  return migrations.map(({ version, file, effects }) => {
    const statements = effects.map((effect) => ({ ...effect, seconds: statementTime(effect, size) }))
    const seconds = sum(statements.map((statement) => statement.seconds))
    return { version, file, statements, locks: heldLocks(statements), seconds }
  })
}

function statementTime(effect: StatementEffect, size: ReadonlyMap<string, TableSize>): Range {
  // An index is built from one scan; concurrently, from two.
  const built = effect.indexes.map(({ table }) => cost(rates.index, size.get(table), effect.isConcurrent ? 2 : 1))
  const read = effect.scans.filter(
    (table) => !effect.rewrites.includes(table) && !effect.indexes.some((index) => index.table === table),
  )
  return sum([
    ...effect.rewrites.map((table) => rewriteTime(size.get(table))),
    ...built,
    ...read.map((table) => cost(rates.scan, size.get(table), 1)),
  ])
}

/** A lock lasts from its statement to the end of the transaction. */
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

/** `about 3 to 7 s`: one figure each, for more would be invented. */
export function roughly([low, high]: Range): string {
  if (high < instant) return 'under a second'
  const unit = high >= 7200 ? ([3600, 'h'] as const) : high >= 120 ? ([60, 'min'] as const) : ([1, 's'] as const)
  const [from, to] = [low, high].map((value) => Number((value / unit[0]).toPrecision(1)))
  if (low < instant) return `up to about ${to} ${unit[1]}`
  return from === to ? `about ${to} ${unit[1]}` : `about ${from} to ${to} ${unit[1]}`
}
