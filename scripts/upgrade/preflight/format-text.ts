import { styleText } from 'node:util'
import { strength } from '../../schema/measure/measure.ts'
import { seconds } from '../../core/progress.ts'
import { addRanges, negligibleSeconds, formatRange, type HeldLock, type MigrationForecast } from '../../schema/measure/forecast.ts'
import type { TableSize } from '../../schema/measure/sizes.ts'
import type { Case, Finding, Report, Verdict } from './report.ts'
import { plural, printable, size } from '../../core/text.ts'

const colours = { go: 'green', decide: 'yellow', refused: 'red' } as const
const verdicts: Readonly<Record<Verdict, string>> = { go: 'go', decide: 'go after a decision', refused: 'refused' }

/** How many differences the text report lists; `--json` has all. */
const maxDifferences = 10

/** Formats the report as text: refusals and questions first, the verdict last. */
export function formatReport(report: Report, isColoured: boolean): string {
  const paint = (verdict: Verdict, text: string) => (isColoured ? styleText(colours[verdict], text) : text)
  const findings = (verdict: Verdict, word: string, list: readonly Finding[]) =>
    list.flatMap(({ what, remedy }) => [`  ${paint(verdict, word)}  ${printable(what)}`, `            → ${printable(remedy)}`])
  return [
    `${report.database}, PostgreSQL ${report.server_version}`,
    '',
    ...findings('refused', 'refused ', report.refusals),
    ...findings('decide', 'question', report.questions),
    ...findings('go', 'note    ', report.notes),
    ...section('Differences from the baseline', adoptionLines(report)),
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
  'backfill pending': 'Dirty data that make backfill has not processed yet',
  'nothing to do': 'Dirty data',
  'not examined': 'Dirty data: not examined, because the tables differ from the baseline',
} as const

/** `printable` removes control characters from names that users chose. */
const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines.map(printable)]

function adoptionLines({ adoption: { differences, outcome } }: Report): string[] {
  const lines = differences.slice(0, maxDifferences).map(({ isRefused, kind, object, expected, found }) => {
    const status = isRefused ? 'refused ' : outcome === 'refused' ? 'new     ' : 'accepted'
    return `  ${status}  ${kind}: ${object}: ${expected} → ${found}`
  })
  const omitted = differences.length - maxDifferences
  return omitted > 0 ? [...lines, `  and ${omitted} more: make adopt dry=1`] : lines
}

const tableLine = ({ table, rows, bytes, total_bytes }: TableSize): string =>
  `  ${table}: about ${count(rows)} rows, ${size(bytes)}, ${size(total_bytes)} with indexes and TOAST`

const count = (rows: number): string =>
  rows >= 999_500 ? `${(rows / 1e6).toFixed(1)} million` : rows >= 1e4 ? `${Math.round(rows / 1000)} thousand` : `${rows}`

/** Locks that block writers, or readers and writers. */
const isStrong = ({ mode }: HeldLock): boolean => strength(mode) >= strength('SHARE')

function migrationLines({ migrations }: Report): string[] {
  if (migrations.length === 0) return []
  const isLong = ({ seconds: [, high] }: { readonly seconds: readonly [number, number] }) => high >= negligibleSeconds
  const blocking = migrations.filter(({ locks }) => locks.some((lock) => isStrong(lock) && isLong(lock)))
  const others = migrations.filter((migration) => !blocking.includes(migration))
  const long = others.filter(isLong)
  const byLock = new Map<string, number>()
  for (const { mode, table } of others.flatMap(({ locks }) => locks.filter(isStrong))) {
    const lock = `${mode} on ${table}`
    byLock.set(lock, (byLock.get(lock) ?? 0) + 1)
  }
  const all = migrations.map(({ seconds: range }) => range).reduce(addRanges)
  return [
    `  total: ${formatRange(all)}`,
    ...(blocking.length > 0
      ? ['  block writers, or readers and writers, while they run:', ...blocking.flatMap(details)]
      : ['  none blocks writers for longer than a second']),
    ...(long.length > 0 ? ['  take long, but do not block readers or writers:', ...long.flatMap(details)] : []),
    ...(byLock.size > 0 ? ['  locks that are held for less than a second, once older transactions have ended:'] : []),
    ...[...byLock].map(([lock, times]) => `    ${lock}, ${plural(times, 'time')}`),
  ]
}

function details({ file, statements, locks, seconds: range }: MigrationForecast): string[] {
  const held = locks.filter(isStrong).map((lock) => `${lock.mode} on ${lock.table} for ${formatRange(lock.seconds)}`)
  const work = statements.flatMap(({ rewrites, scans, indexes, writes, isConcurrent }) => [
    ...rewrites.map((table) => `rewrites ${table}`),
    ...indexes.map(({ name, table }) => `builds ${name} on ${table}${isConcurrent ? ' concurrently, after all older transactions' : ''}`),
    ...scans.filter((table) => !indexes.some((index) => index.table === table)).map((table) => `reads ${table}`),
    ...writes.map((table) => `changes rows of ${table}`),
  ])
  return [`    ${file}: ${formatRange(range)}`, ...[...held, ...new Set(work)].map((line) => `      ${line}`)]
}

function caseLines({ title, count: found, examples, sample, what, of }: Case): string[] {
  const among = sample ? ` of ${sample.looked_at} examined (about ${count(sample.of)} in total)` : ''
  // Ids of apps are uuids: two of them fill a line.
  const listed = of === 'apps' ? examples.slice(0, 2) : examples
  const ids = of === 'columns' || of === 'values' ? '' : ` (${of.replace(/s$/, '')} ${listed.join(', ')}${found > listed.length ? '…' : ''})`
  return [`  ${found}${among}  ${title}${ids}`, `      → ${what}`]
}
