import { list, table, type Section } from './blocks.ts'
import type { Report } from './report.ts'
import { describe, isTold, short } from './section-changes.ts'
import { plural } from '../../core/text.ts'

export function accessSection({ changes, cells }: Report): Section {
  const told = changes.filter((change) => change.section === 'access' && (isTold(change) || change.kind === 'policy'))
  return {
    title: 'Access',
    summary:
      told.length + cells.length === 0
        ? 'nothing changes'
        : `${plural(told.length, 'change')}, ${plural(cells.length, 'cell')} of the matrix`,
    blocks: [
      ...list(told.map((change) => {
        const { text, details } = describe(change)
        const of = change.table === null || text.includes(change.table) ? '' : ` on ${change.table}`
        return { text: text.replace(/^(\S+ (?:made anew: )?\S+ \S+)/, `$1${of}`), details: details ?? [] }
      })),
      ...table(
        ['table', 'role', 'command', 'from', 'to'],
        cells.map((cell) => [cell.table, cell.role, cell.command, short(cell.from), short(cell.to)]),
      ),
    ],
  }
}
