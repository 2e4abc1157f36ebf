import { styleText } from 'node:util'
import type { CheckReport, Report } from './doctor.ts'
import { seconds } from '../../core/progress.ts'
import type { Status } from './check.ts'
import { printable } from '../../core/text.ts'

type Paint = (status: Status, text: string) => string

const colours = { ok: 'green', note: 'cyan', warn: 'yellow', bad: 'red' } as const

/** The maximum number of findings that are listed per check. */
const shown = 10

/** Formats a line for each check, followed by its findings. */
export function formatReport(report: Report, isColoured: boolean): string {
  const paint: Paint = (status, text) => (isColoured ? styleText(colours[status], text) : text)
  const width = Math.max(...report.checks.map(({ name }) => name.length))
  const groups = [...new Set(report.checks.map(({ group }) => group))]
  const lines = groups.flatMap((group) => [
    '',
    group,
    ...report.checks.filter((check) => check.group === group).flatMap((check) => checkLines(check, width, paint)),
  ])
  const count = (status: Status) => report.checks.filter((check) => check.status === status).length
  const counts = (['ok', 'note', 'warn', 'bad'] as const).filter((status) => count(status) > 0)
  const summary = counts.map((status) => `${count(status)} ${paint(status, status)}`).join(', ')
  return [
    `${report.database}, PostgreSQL ${report.server_version}`,
    ...lines,
    '',
    `${report.checks.length} checks: ${summary} (${seconds(report.milliseconds)})`,
    '',
  ].join('\n')
}

function checkLines({ name, status, figure, findings }: CheckReport, width: number, paint: Paint): string[] {
  const left = findings.length - shown
  return [
    `  ${paint(status, status.padEnd(4))}  ${name.padEnd(width)}  ${figure ?? ''}`.trimEnd(),
    ...findings.slice(0, shown).flatMap(({ severity, what, remedy }) => [
      `        ${paint(severity, severity)}: ${printable(what)}`,
      `          → ${printable(remedy)}`,
    ]),
    ...(left > 0 ? [`        and ${left} more: make doctor json=1`] : []),
  ]
}
