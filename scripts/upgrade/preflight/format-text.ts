import { styleText } from 'node:util'
import { strength } from '../../schema/measure/measure.ts'
import { seconds } from '../../core/progress.ts'
import { add, instant, roughly, type HeldLock, type MigrationForecast } from '../../schema/measure/forecast.ts'
import type { TableSize } from '../../schema/measure/sizes.ts'
import type { Case, Finding, Report, Verdict } from './report.ts'
import { plural, printable, size } from '../../core/text.ts'

const colours = { go: 'green', decide: 'yellow', refused: 'red' } as const
const verdicts: Readonly<Record<Verdict, string>> = { go: 'go', decide: 'go after a decision', refused: 'refused' }

/** As much as a person reads; `--json` has all of it. */
const shown = 10

/** For people: what matters first, and in a line each. */
export function inWords(report: Report, isColoured: boolean): string {
  const paint = (verdict: Verdict, text: string) => (isColoured ? styleText(colours[verdict], text) : text)
  const findings = (verdict: Verdict, word: string, list: readonly Finding[]) =>
    list.flatMap(({ what, remedy }) => [`  ${paint(verdict, word)}  ${printable(what)}`, `            → ${printable(remedy)}`])
  return [
    `${report.database}, PostgreSQL ${report.server_version}`,
    '',
    ...findings('refused', 'refused ', report.refusals),
    ...findings('decide', 'question', report.questions),
    ...findings('go', 'note    ', report.notes),
    ...section('The tables against the baseline', adoptionLines(report)),
    ...section('Tables', report.tables.map(tableLine)),
    ...section(`Pending migrations: ${report.migrations.length}`, migrationLines(report)),
    ...section(dataTitles[report.data.stage], report.data.cases.filter(({ count }) => count > 0).flatMap(caseLines)),
    '',
    `${paint(report.verdict, verdicts[report.verdict])} (${seconds(report.milliseconds)}); next: ${report.next}`,
    '',
  ].join('\n')
}

const dataTitles = {
  'before expand': 'Dirty data',
  'backfill pending': 'Dirty data that is left for make backfill',
  'nothing to do': 'Dirty data',
  'not examined': 'Dirty data: not looked for, since the tables are not what the questions are about',
} as const

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map(printable)]

/** Nothing that somebody has named may write to the terminal. */
function adoptionLines({ adoption: { differences, outcome } }: Report): string[] {
  const lines = differences.slice(0, shown).map(
    ({ isRefused, kind, object, expected, found }) =>
      `  ${isRefused || outcome === 'refused' ? (isRefused ? 'refused ' : 'new     ') : 'accepted'}  ${kind}: ${object}: ${expected} → ${found}`,
  )
  const left = differences.length - shown
  return left > 0 ? [...lines, `  and ${left} more: make adopt dry=1`] : lines
}

const tableLine = ({ table, rows, bytes, total_bytes }: TableSize): string =>
  `  ${table}: about ${count(rows)} rows, ${size(bytes)}, ${size(total_bytes)} with indexes and long values`

const count = (rows: number): string =>
  rows >= 999_500 ? `${(rows / 1e6).toFixed(1)} million` : rows >= 1e4 ? `${Math.round(rows / 1000)} thousand` : `${rows}`

/** Locks that stop writers, or readers too. */
const isStrong = ({ mode }: HeldLock): boolean => strength(mode) >= strength('SHARE')

function migrationLines({ migrations }: Report): string[] {
  if (migrations.length === 0) return []
  const isLong = ({ seconds: [, high] }: { readonly seconds: readonly [number, number] }) => high >= instant
  const blocking = migrations.filter(({ locks }) => locks.some((lock) => isStrong(lock) && isLong(lock)))
  const long = migrations.filter((migration) => isLong(migration) && !blocking.includes(migration))
  const moments = migrations.filter((migration) => !blocking.includes(migration)).flatMap(({ locks }) => locks.filter(isStrong))
  const byLock = new Map<string, number>()
  for (const { mode, table } of moments) byLock.set(`${mode} on ${table}`, (byLock.get(`${mode} on ${table}`) ?? 0) + 1)
  const all = migrations.map(({ seconds: range }) => range).reduce(add)
  return [
    `  ${roughly(all)} of work in all`,
    ...(blocking.length > 0 ? ['  stop writers, or everybody, meanwhile:', ...blocking.flatMap(details)] : ['  none holds up writers for longer than a moment']),
    ...(long.length > 0 ? ['  take long, while readers and writers go on:', ...long.flatMap(details)] : []),
    ...(byLock.size > 0 ? ['  for a moment each, once no older transaction is in the way:'] : []),
    ...[...byLock].map(([lock, times]) => `    ${lock}, ${plural(times, 'time')}`),
  ]
}

function details({ file, statements, locks, seconds: range }: MigrationForecast): string[] {
  const held = locks.filter(isStrong).map((lock) => `${lock.mode} on ${lock.table} for ${roughly(lock.seconds)}`)
  const work = statements.flatMap(({ rewrites, scans, indexes, writes, isConcurrent }) => [
    ...rewrites.map((table) => `rewrites ${table}`),
    ...indexes.map(({ name, table }) => `builds ${name} on ${table}${isConcurrent ? ' concurrently, after every older transaction' : ''}`),
    ...scans.filter((table) => !indexes.some((index) => index.table === table)).map((table) => `reads ${table}`),
    ...writes.map((table) => `changes rows of ${table}`),
  ])
  return [`    ${file}: ${roughly(range)}`, ...[...held, ...new Set(work)].map((line) => `      ${line}`)]
}

function caseLines({ title, count: found, examples, sample, what, of }: Case): string[] {
  const among = sample ? ` of ${sample.looked_at} looked at, of about ${count(sample.of)}` : ''
  // Uuids are long.
  const listed = of === 'apps' ? examples.slice(0, 2) : examples
  const ids = of === 'columns' || of === 'values' ? '' : ` (${of.replace(/s$/, '')} ${listed.join(', ')}${found > listed.length ? '…' : ''})`
  return [`  ${found}${among}  ${title}${ids}`, `      → ${what}`]
}
