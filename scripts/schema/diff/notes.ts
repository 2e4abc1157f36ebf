import { strength } from '../measure/measure.ts'
import type { Migration } from '../../migrate/migrations.ts'
import type { Change, Severity } from '../catalog/model.ts'
import type { Seen } from './report.ts'

/** What whoever deploys it has to know and to do, in that order. */
export function notesFor(seen: Seen, verdict: Severity, added: readonly Migration[]): string[] {
  if (seen.files === null) return []
  if (added.length === 0) return ['Nothing to migrate.']
  const changes = seen.changes.filter(({ partOf }) => partOf === null)
  return [...order(seen, changes, verdict), ...timeouts(seen, added), ...waits(seen), ...backfills(changes)]
}

function order({ types }: Seen, changes: readonly Change[], verdict: Severity): string[] {
  const gone = changes.filter(
    ({ action, section, kind }) =>
      /removed|renamed/.test(action) && section === 'structure' && !/^(index|statistics)$/.test(kind),
  )
  const values = changes.filter(({ action, kind }) => action === 'added' && kind === 'enum value')
  const known = values.length === 0
    ? []
    : [`Services that read ${names(values)} have to know it before anybody writes it.`]
  if (gone.length > 0) {
    const first = `First deploy services that no longer use ${names(gone)}; then \`make migrate\``
    return [`${first}; no service of before may run after it.`, ...known]
  }
  if (verdict === 'breaking' || verdict === 'destructive' || types.bump === 'major') {
    const first = 'First see that every running service gets along with what breaks, by the reasons above'
    return [`${first}; then \`make migrate\`, then the services.`, ...known]
  }
  return ['First `make migrate`, then the services: those of before run on the new schema.', ...known]
}

const names = (changes: readonly Change[]): string =>
  [...new Set(changes.map(({ kind, object, was }) => `${kind} ${was ?? object}`))].join(', ')

function timeouts({ locks }: Seen, added: readonly Migration[]): string[] {
  const strong = (locks ?? []).filter(
    ({ transaction, effects }) =>
      transaction && effects.some(({ locks }) => locks.some(({ mode }) => strength(mode) >= strength('SHARE'))),
  )
  const without = strong.filter(({ file }) =>
    added.some((one) => one.file.endsWith(file) && !/\bset\s+local\s+lock_timeout\b/i.test(one.up)),
  )
  const tries = 'The locks are given up after `lock_timeout`, and `make migrate` tries five times'
  return [
    ...(strong.length > without.length ? [`${tries}: end long transactions before.`] : []),
    ...without.map(
      ({ file }) => `${file} waits for its locks without \`lock_timeout\`, and whoever comes after waits behind it.`,
    ),
  ]
}

function waits({ locks }: Seen): string[] {
  const effects = (locks ?? []).flatMap(({ file, effects }) => effects.map((effect) => ({ file, ...effect })))
  const tables = (key: 'rewrites' | 'writes') => [...new Set(effects.flatMap((effect) => effect[key]))].sort()
  const alone = effects.filter(({ isConcurrent }) => isConcurrent)
  const batches = 'if they are many, do it in batches before (`make backfill`)'
  return [
    ...alone.map(
      ({ file }) => `${file} waits for every older transaction; cut off, it is begun anew by \`make migrate\`.`,
    ),
    ...tables('rewrites').map(
      (table) => `${table} is written anew: it needs as much free disk again, and a quiet hour if it is large.`,
    ),
    ...tables('writes').map((table) => `Rows of ${table} change in one transaction: ${batches}.`),
  ]
}

function backfills(changes: readonly Change[]): string[] {
  const added = changes.filter(({ action }) => action === 'added')
  const valueOf = ({ facts }: Change, name: string) => facts.find(({ fact }) => fact === name)?.to ?? null
  const open = added.filter((one) => one.kind === 'constraint' && valueOf(one, 'validated') === 'no')
  const empty = added.filter(
    (one) =>
      one.kind === 'column' &&
      valueOf(one, 'nullable') === 'yes' &&
      ['default', 'generated'].every((name) => valueOf(one, name) === null),
  )
  return [
    ...open.map(
      ({ object, table }) => `Bring the old rows of ${table} over, then validate ${object} in a migration of its own.`,
    ),
    ...empty.map(
      ({ object }) => `${object} is null in rows that are there: if it is to say something of them, backfill next.`,
    ),
  ]
}
