import { strength } from '../measure/measure.ts'
import type { Migration } from '../../migrate/migrations.ts'
import type { Change, Severity } from '../catalog/model.ts'
import type { Findings } from './report.ts'

/** Instructions for deploying the change: order of steps, locks, waiting times, backfills. */
export function notesFor(findings: Findings, verdict: Severity, added: readonly Migration[]): string[] {
  if (findings.files === null) return []
  if (added.length === 0) return ['There are no migrations to apply.']
  const changes = findings.changes.filter(({ partOf }) => partOf === null)
  return [
    ...deploymentOrder(findings, changes, verdict),
    ...lockTimeouts(findings, added),
    ...longOperations(findings),
    ...backfills(changes),
  ]
}

function deploymentOrder({ types }: Findings, changes: readonly Change[], verdict: Severity): string[] {
  const removed = changes.filter(
    ({ action, section, kind }) =>
      /removed|renamed/.test(action) && section === 'structure' && !/^(index|statistics)$/.test(kind),
  )
  const values = changes.filter(({ action, kind }) => action === 'added' && kind === 'enum value')
  const newValues = values.length === 0
    ? []
    : [`Before any service writes ${names(values)}, deploy services that can read it.`]
  if (removed.length > 0) {
    const first = `First deploy services that no longer use ${names(removed)} and stop all older ones`
    return [`${first}; then run \`make migrate\`.`, ...newValues]
  }
  if (verdict === 'breaking' || verdict === 'destructive' || types.bump === 'major') {
    const first = 'First make sure that every running service can work with the breaking changes listed above'
    return [`${first}; then run \`make migrate\`, then deploy the services.`, ...newValues]
  }
  return ['First run `make migrate`, then deploy the services. Running services work on the new schema.', ...newValues]
}

const names = (changes: readonly Change[]): string =>
  [...new Set(changes.map(({ kind, object, was }) => `${kind} ${was ?? object}`))].join(', ')

function lockTimeouts({ locks }: Findings, added: readonly Migration[]): string[] {
  const strong = (locks ?? []).filter(
    ({ transaction, effects }) =>
      transaction && effects.some(({ locks }) => locks.some(({ mode }) => strength(mode) >= strength('SHARE'))),
  )
  const withoutTimeout = strong.filter(({ file }) =>
    added.some((one) => one.file.endsWith(file) && !/\bset\s+local\s+lock_timeout\b/i.test(one.up)),
  )
  const retries =
    'If a lock is not granted within `lock_timeout`, `make migrate` starts the migration again, five attempts in all'
  return [
    ...(strong.length > withoutTimeout.length ? [`${retries}: end long transactions first.`] : []),
    ...withoutTimeout.map(
      ({ file }) => `${file} waits for its locks without \`lock_timeout\`: later queries on these tables queue behind it.`,
    ),
  ]
}

function longOperations({ locks }: Findings): string[] {
  const effects = (locks ?? []).flatMap(({ file, effects }) => effects.map((effect) => ({ file, ...effect })))
  const tables = (key: 'rewrites' | 'writes') => [...new Set(effects.flatMap((effect) => effect[key]))].sort()
  const concurrent = effects.filter(({ isConcurrent }) => isConcurrent)
  const batches = 'if there are many, change them in batches beforehand (`make backfill`)'
  return [
    ...concurrent.map(
      ({ file }) => `${file} waits for every older transaction. If it is interrupted, \`make migrate\` starts it again.`,
    ),
    ...tables('rewrites').map(
      (table) =>
        `${table} is rewritten: the disk needs free space for a second copy of the table. ` +
        'Choose a time of low load for a large table.',
    ),
    ...tables('writes').map((table) => `Rows of ${table} change in one transaction: ${batches}.`),
  ]
}

function backfills(changes: readonly Change[]): string[] {
  const added = changes.filter(({ action }) => action === 'added')
  const valueOf = ({ facts }: Change, name: string) => facts.find(({ fact }) => fact === name)?.to ?? null
  const notValid = added.filter((one) => one.kind === 'constraint' && valueOf(one, 'validated') === 'no')
  const nullable = added.filter(
    (one) =>
      one.kind === 'column' &&
      valueOf(one, 'nullable') === 'yes' &&
      ['default', 'generated'].every((name) => valueOf(one, name) === null),
  )
  return [
    ...notValid.map(
      ({ object, table }) => `Correct the existing rows of ${table}, then validate ${object} in a separate migration.`,
    ),
    ...nullable.map(({ object }) => `${object} is null in existing rows: backfill it if they need a value.`),
  ]
}
