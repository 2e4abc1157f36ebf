import { addRanges, formatRange, type Range } from '../../schema/measure/forecast.ts'
import type { MeasuredMigration } from '../../schema/measure/rehearse.ts'
import type { Adoption, Case, Finding, Stage } from './report.ts'
import { isUtc, type Zone } from './live-state.ts'

/** Derives refusals, questions and the next command from the state of the live database. */

export function judgeAdoption({ outcome, differences }: Adoption): Finding[] {
  const count = differences.filter(({ isRefused }) => isRefused).length
  if (outcome !== 'refused') return []
  const what =
    count > 0
      ? `${count} differences from the baseline with which the migrations would fail`
      : 'the tables have changed since they were adopted'
  const remedy = '`make adopt` lists the differences with a remedy for each; then run this again'
  return [{ code: 'adoption_refused', what, remedy }]
}

export function judgeUnknown(cases: readonly Case[]): Finding[] {
  return cases.flatMap(({ code, count, title, examples }) => {
    if (count === 0 || (code !== 'unknown_column' && code !== 'unknown_enum_value')) return []
    const remedy = code === 'unknown_column' ? '`make adopt` records them' : '`make adopt` prints how to repair the type'
    return [{ code, what: `${title}: ${examples.join(', ')}${count > examples.length ? '…' : ''}`, remedy }]
  })
}

export function judgeZone(zone: Zone, rewriteOf: (table: string) => Range): Record<'refusals' | 'notes', Finding[]> {
  const { server, naive, answer } = zone
  if (naive.length === 0 || (zone.isUtc && answer === undefined)) return { refusals: [], notes: [] }
  if (answer === undefined) {
    const what = `${naive.length} columns have no time zone, and the server's TimeZone is ${server}: ${naive.join(', ')}`
    const remedy = 'name the zone in which they were written: make adopt time_zone=Europe/Berlin (or UTC)'
    return { refusals: [{ code: 'zone_unknown', what, remedy }], notes: [] }
  }
  if (isUtc(answer)) return { refusals: [], notes: [] }
  const tables = [...new Set(naive.map((column) => column.split('.').slice(0, 2).join('.')))]
  const time = tables.map(rewriteOf).reduce(addRanges)
  const what =
    `times without a zone were written in ${answer}: ${tables.join(' and ')} are rewritten under ACCESS EXCLUSIVE locks, ` +
    `${formatRange(time)} in all`
  return { refusals: [], notes: [{ code: 'zone_rewrites', what, remedy: 'run make migrate when this lock is acceptable' }] }
}

const answers: Readonly<Record<string, string>> = {
  app_contested: '`make backfill owners=file.csv`, with a line `app_id,user_id` per app; without an answer they are quarantined',
  generating_stale: '`make backfill stale_after=\'2 days\'`; without it they stay as they are',
}

export const judgeQuestions = (cases: readonly Case[]): Finding[] =>
  cases.flatMap(({ code, count, title }) => {
    const remedy = answers[code]
    return count > 0 && remedy !== undefined ? [{ code, what: `${count} ${title}`, remedy }] : []
  })

export function next(
  { adoption, stage }: { readonly adoption: Adoption; readonly stage: Stage },
  refusals: readonly Finding[],
  pending: number,
): string {
  if (refusals.length > 0) return 'resolve the refusals, then run this again'
  if (adoption.outcome === 'to adopt') return 'make adopt'
  if (pending === 0) return 'no action: all migrations are applied'
  if (stage === 'backfill pending') {
    return 'make backfill, stop the writers of the previous schema, make backfill old_writers=gone, make migrate'
  }
  return stage === 'before expand' ? 'make migrate, which stops before the contract step' : 'make migrate'
}

export const tablesOf = ({ effects }: MeasuredMigration): string[] =>
  effects.flatMap(({ locks, rewrites, scans, indexes, writes }) => [
    ...locks.map(({ table }) => table),
    ...rewrites,
    ...scans,
    ...indexes.map(({ table }) => table),
    ...writes,
  ])
