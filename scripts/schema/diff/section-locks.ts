import { strength, type LockMode } from '../measure/measure.ts'
import { list, type Item, type Section } from './blocks.ts'
import type { MeasuredFile, Report } from './report.ts'
import { hazards } from './verdict.ts'
import { plural, size } from '../../core/text.ts'

export function locksSection({ locks }: Report): Section {
  const title = 'Locks'
  if (locks === null) {
    const summary = 'not measured for a live database: `make preflight` measures its pending migrations'
    return { title, summary, blocks: [] }
  }
  const held = locks.flatMap(({ effects }) => effects.flatMap((effect) => effect.locks))
  const blockedTables = new Set(held.filter(({ mode }) => blockedBy(mode) !== '').map(({ table }) => table))
  const isQuick = locks.every(({ effects }) => hazards(effects).flat().length === 0)
  const files = locks.map((measured) => ({ file: measured.file, items: describeEffects(measured) }))
  const withoutLocks = files.filter(({ items }) => items.length === 0).length
  return {
    title,
    summary:
      blockedTables.size === 0
        ? 'no existing table is blocked'
        : `${plural(blockedTables.size, 'table')} blocked, ${isQuick ? 'briefly' : 'for a time that grows with the table'}`,
    blocks: [
      ...files.flatMap(({ file, items }) => list(items, file)),
      ...list(withoutLocks === 0 ? [] : [`${plural(withoutLocks, 'migration')} without a lock on an existing table`]),
    ],
  }
}

/** The operations that this lock blocks: 'reads and writes', 'writes', or '' if it blocks neither. */
function blockedBy(mode: LockMode): string {
  if (mode === 'ACCESS EXCLUSIVE') return 'reads and writes'
  return strength(mode) >= strength('SHARE') ? 'writes' : ''
}

/** Weaker locks are not shown: they conflict only with DDL. */
const weakestShown = strength('SHARE UPDATE EXCLUSIVE')

function describeEffects({ effects, sizes }: MeasuredFile): Item[] {
  const hazardsByStatement = hazards(effects)
  return effects.flatMap((effect, index) => {
    const { line, sql, locks, rewrites, scans, indexes, writes, isConcurrent } = effect
    const withSize = (name: string) => {
      const found = sizes[name]
      return found ? `${name} (${found.rows} rows, ${size(found.bytes)})` : name
    }
    const details = [
      ...locks
        .filter(({ mode }) => strength(mode) >= weakestShown)
        .map(({ table, mode }) => `${mode} on ${withSize(table)}: blocks ${blockedBy(mode) || 'neither reads nor writes'}`),
      ...rewrites.map((table) => `rewrites ${withSize(table)}`),
      ...indexes.map(({ name, table }) => `builds ${name} on ${withSize(table)}`),
      ...scans.map((table) => `scans ${withSize(table)}`),
      ...writes.map((table) => `changes rows of ${withSize(table)}`),
      ...new Set(hazardsByStatement[index]!.map(({ recipe }) => `alternative: ${recipe}`)),
      ...(isConcurrent ? ['waits for every older transaction'] : []),
    ]
    return details.length === 0 ? [] : [{ text: `line ${line}: ${sql}`, details }]
  })
}
