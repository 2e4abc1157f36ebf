import { add, roughly, type Range } from '../../schema/measure/forecast.ts'
import type { Rehearsed } from '../../schema/measure/rehearse.ts'
import type { Adoption, Case, Finding, Stage } from './report.ts'
import type { Zone } from './live-state.ts'

/** What follows from what was seen: refusals, questions, and what to do next. */

export function judgeAdoption({ outcome, differences }: Adoption): Finding[] {
  const count = differences.filter(({ isRefused }) => isRefused).length
  if (outcome !== 'refused') return []
  const what =
    count > 0
      ? `${count} differences from the baseline that the migrations cannot live with`
      : 'the tables have changed since they were adopted'
  const remedy = '`make adopt` lists them with what to do about each; then run this again'
  return [{ code: 'adoption_refused', what, remedy }]
}

export function judgeUnknown(cases: readonly Case[]): Finding[] {
  return cases.flatMap(({ code, count, title, examples }) => {
    if (count === 0 || (code !== 'unknown_column' && code !== 'unknown_enum_value')) return []
    const remedy = code === 'unknown_column' ? '`make adopt` records them' : '`make adopt` says how to mend the type'
    return [{ code, what: `${title}: ${examples.join(', ')}${count > examples.length ? '…' : ''}`, remedy }]
  })
}

const isUtc = (zone: string): boolean => /^(etc\/)?(utc|gmt|uct|universal|zulu)$/i.test(zone)

export function judgeZone(zone: Zone, rewriteOf: (table: string) => Range): Record<'refusals' | 'notes', Finding[]> {
  const { server, naive, answer } = zone
  if (naive.length === 0 || (zone.isUtc && answer === undefined)) return { refusals: [], notes: [] }
  if (answer === undefined) {
    const what = `${naive.length} columns hold times without a zone, and the server's is ${server}: ${naive.join(', ')}`
    const remedy = 'say in which they were written: make adopt time_zone=Europe/Berlin (or UTC)'
    return { refusals: [{ code: 'zone_unknown', what, remedy }], notes: [] }
  }
  if (isUtc(answer)) return { refusals: [], notes: [] }
  const tables = [...new Set(naive.map((column) => column.split('.').slice(0, 2).join('.')))]
  const time = tables.map(rewriteOf).reduce(add)
  const what =
    `times without a zone were written in ${answer}: ${tables.join(' and ')} are rewritten under ACCESS EXCLUSIVE, ` +
    `${roughly(time)} in all`
  return { refusals: [], notes: [{ code: 'zone_rewrites', what, remedy: 'choose an hour in which nobody minds' }] }
}

const answers: Readonly<Record<string, string>> = {
  app_contested: '`make backfill owners=file.csv`, a line `app_id,user_id` each; without an answer they are quarantined',
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
  if (refusals.length > 0) return 'see to what is refused, then run this again'
  if (adoption.outcome === 'to adopt') return 'make adopt'
  if (pending === 0) return 'nothing: every migration is applied'
  if (stage === 'backfill pending') {
    return 'make backfill, stop the old writers, make backfill old_writers=gone, make migrate'
  }
  return stage === 'before expand' ? 'make migrate, which stops before the contract step' : 'make migrate'
}

export const tablesOf = ({ effects }: Rehearsed): string[] =>
  effects.flatMap(({ locks, rewrites, scans, indexes, writes }) => [
    ...locks.map(({ table }) => table),
    ...rewrites,
    ...scans,
    ...indexes.map(({ table }) => table),
    ...writes,
  ])
