import type pg from 'pg'
import { plural, printable } from '../../core/text.ts'

/** A result as psql shows it: aligned columns, or what the command did. */
export function formatResult({ command, rowCount, fields, rows }: pg.QueryArrayResult<(string | null)[]>): string {
  if (fields.length === 0) return `${[command, rowCount].filter((part) => part !== null).join(' ')}\n`
  const header = fields.map(({ name }) => printable(name))
  const cells = rows.map((row) => row.map((value) => printable(value ?? '')))
  const widths = header.map((name, at) => cells.reduce((width, row) => Math.max(width, row[at]!.length), name.length))
  const line = (row: readonly string[]) => ` ${row.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')}`.trimEnd()
  const rule = widths.map((width) => '-'.repeat(width + 2)).join('+')
  return `${[line(header), rule, ...cells.map(line), `(${plural(rows.length, 'row')})`].join('\n')}\n`
}
