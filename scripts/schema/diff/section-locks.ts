import { strength, type LockMode } from '../measure/measure.ts'
import { list, type Item, type Section } from './blocks.ts'
import type { MeasuredFile, Report } from './report.ts'
import { hazards } from './verdict.ts'
import { plural, size } from '../../core/text.ts'

export function locksSection({ locks }: Report): Section {
  const title = 'Locks'
  if (locks === null) {
    const summary = 'not measured with a database on a side: `make preflight` does so for what is pending'
    return { title, summary, blocks: [] }
  }
  const held = locks.flatMap(({ effects }) => effects.flatMap((effect) => effect.locks))
  const blocking = new Set(held.filter(({ mode }) => blocked(mode) !== '').map(({ table }) => table))
  const isQuick = locks.every(({ effects }) => hazards(effects).flat().length === 0)
  const told = locks.map((measured) => ({ file: measured.file, items: lines(measured) }))
  const rest = told.filter(({ items }) => items.length === 0).length
  return {
    title,
    summary:
      blocking.size === 0
        ? 'no table that was there before is blocked'
        : `${plural(blocking.size, 'table')} blocked, ${isQuick ? 'for an instant' : 'by work that grows with them'}`,
    blocks: [
      ...told.flatMap(({ file, items }) => list(items, file)),
      ...list(rest === 0 ? [] : [`${plural(rest, 'migration')} without a lock on a table that was there before`]),
    ],
  }
}

/** Whom it keeps waiting. */
export function blocked(mode: LockMode): string {
  if (mode === 'ACCESS EXCLUSIVE') return 'reads and writes'
  return strength(mode) >= strength('SHARE') ? 'writes' : ''
}

/** Below, it stands in nobody's way but that of other migrations. */
const least = strength('SHARE UPDATE EXCLUSIVE')

function lines({ effects, sizes }: MeasuredFile): Item[] {
  const found = hazards(effects)
  return effects.flatMap((effect, at) => {
    const { line, sql, locks, rewrites, scans, indexes, writes, isConcurrent } = effect
    const of = (name: string) => {
      const known = sizes[name]
      return known ? `${name} (${known.rows} rows, ${size(known.bytes)})` : name
    }
    const details = [
      ...locks
        .filter(({ mode }) => strength(mode) >= least)
        .map(({ table, mode }) => `${mode} on ${of(table)}: blocks ${blocked(mode) || 'neither reads nor writes'}`),
      ...rewrites.map((table) => `rewrites ${of(table)}`),
      ...indexes.map(({ name, table }) => `builds ${name} on ${of(table)}`),
      ...scans.map((table) => `scans ${of(table)}`),
      ...writes.map((table) => `changes rows of ${of(table)}`),
      ...new Set(found[at]!.map(({ recipe }) => `rather: ${recipe}`)),
      ...(isConcurrent ? ['waits for every older transaction'] : []),
    ]
    return details.length === 0 ? [] : [{ text: `line ${line}: ${sql}`, details }]
  })
}
