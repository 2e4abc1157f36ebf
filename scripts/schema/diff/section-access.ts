import { list, table, type Section } from './blocks.ts'
import type { Report } from './report.ts'
import { describe, isReported, short } from './section-changes.ts'
import { plural } from '../../core/text.ts'

export function accessSection({ changes, cells }: Report): Section {
  const reported = changes.filter(
    (change) => change.section === 'access' && (isReported(change) || change.kind === 'policy'),
  )
  return {
    title: 'Access',
    summary:
      reported.length + cells.length === 0
        ? 'no changes'
        : `${plural(reported.length, 'change')}, ${plural(cells.length, 'cell')} of the access matrix`,
    blocks: [
      ...list(reported.map((change) => {
        const { text, details } = describe(change)
        const on = change.table === null || text.includes(change.table) ? '' : ` on ${change.table}`
        return { text: text.replace(/^(\S+ (?:recreated: )?\S+ \S+)/, `$1${on}`), details: details ?? [] }
      })),
      ...table(
        ['table', 'role', 'command', 'from', 'to'],
        cells.map((cell) => [cell.table, cell.role, cell.command, short(cell.from), short(cell.to)]),
      ),
    ],
  }
}
