import { strength } from '../../measure.ts'
import type { Migration } from '../../migrations.ts'
import type { Severity } from '../model.ts'
import type { Report } from './report.ts'

type Known = Omit<Report, 'verdict' | 'reasons' | 'notes' | 'diagram'>

/** What whoever deploys it has to know and to do, in that order. */
export function notesFor(report: Known, verdict: Severity, added: readonly Migration[]): string[] {
  if (report.files === null) return []
  if (added.length === 0) return ['Nothing to migrate.']
  return [...order(report, verdict), ...timeouts(report, added), ...waits(report), ...backfills(report)]
}

function order({ types, changes }: Known, verdict: Severity): string[] {
  const removes = changes.filter(
    ({ action, section, partOf, kind }) =>
      (action === 'removed' || action === 'renamed') && section === 'structure' && partOf === null && !/^(index|statistics)$/.test(kind),
  )
  const enums = changes.filter(({ action, kind, partOf }) => action === 'added' && kind === 'enum value' && partOf === null)
  return [
    removes.length > 0
      ? `First deploy services that no longer use ${names(removes)}; then \`make migrate\`; no service of before may run after it.`
      : verdict === 'breaking' || types.bump === 'major'
        ? 'First see that every running service gets along with what breaks (the reasons above); then `make migrate`, then the rest.'
        : 'First `make migrate`, then the services: those of before run on the new schema.',
    ...(enums.length > 0 ? [`Services that read ${names(enums)} have to know it before anybody writes it.`] : []),
  ]
}

const names = (changes: Known['changes']): string =>
  [...new Set(changes.map(({ kind, object, was }) => `${kind} ${was ?? object}`))].join(', ')

function timeouts({ locks }: Known, added: readonly Migration[]): string[] {
  const strong = (locks ?? []).filter(({ transaction, effects }) =>
    transaction && effects.some((effect) => effect.locks.some(({ mode }) => strength(mode) >= strength('SHARE'))),
  )
  const without = strong.filter(({ file }) =>
    added.some((one) => one.file.endsWith(file) && !/\bset\s+local\s+lock_timeout\b/i.test(one.up)),
  )
  return [
    ...(strong.length > without.length
      ? ['The locks are given up after `lock_timeout`, and `make migrate` tries five times: end long transactions before.']
      : []),
    ...without.map(({ file }) => `${file} waits for its locks without \`lock_timeout\`, and whoever comes after waits behind it.`),
  ]
}

function waits({ locks }: Known): string[] {
  const effects = (locks ?? []).flatMap(({ file, effects }) => effects.map((effect) => ({ file, ...effect })))
  const inTransaction = effects.filter(({ isConcurrent }) => !isConcurrent)
  const tables = (key: 'rewrites' | 'writes') => [...new Set(inTransaction.flatMap((effect) => effect[key]))].sort()
  return [
    ...effects
      .filter(({ isConcurrent }) => isConcurrent)
      .map(({ file }) => `${file} waits for every transaction that is older; if it is cut off, \`make migrate\` begins it anew.`),
    ...tables('rewrites').map((table) => `${table} is written anew: it needs as much free disk again, and a quiet hour if it is large.`),
    ...tables('writes').map((table) => `Rows of ${table} change in one transaction: if they are many, do it in batches before (\`make backfill\`).`),
  ]
}

function backfills({ changes }: Known): string[] {
  const told = changes.filter(({ partOf }) => partOf === null)
  const fact = (facts: Known['changes'][number]['facts'], name: string) => facts.find((one) => one.fact === name)?.to ?? null
  return [
    ...told
      .filter(({ kind, action, facts }) => kind === 'constraint' && action === 'added' && fact(facts, 'validated') === 'no')
      .map(({ object, table }) => `Bring the old rows of ${table} over, then validate ${object} in a migration of its own.`),
    ...told
      .filter(({ kind, action, facts, table }) =>
        kind === 'column' && action === 'added' && fact(facts, 'nullable') === 'yes' && table !== null &&
        ['default', 'generated'].every((name) => fact(facts, name) === null))
      .map(({ object }) => `${object} is null in rows that are there: if it means something for them, a backfill comes next.`),
  ]
}
