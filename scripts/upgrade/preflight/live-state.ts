import type pg from 'pg'
import { baselineVersion, converted, enums, tables } from '../adopt/baseline.ts'
import { compare } from '../adopt/compare.ts'
import type { Names } from '../adopt/names.ts'
import { differencesSinceAdoption, hasBaselineObjects } from '../adopt/adopt.ts'
import { exists, type MigrationStatus } from '../../migrate/migrator.ts'
import { finishVersion } from '../steps.ts'
import type { CaseCode, Found } from './cases.ts'
import { rowsOf } from './read-only.ts'
import type { Adoption, Finding, Stage } from './report.ts'

export interface Zone {
  /** The TimeZone setting of a new session. */
  readonly server: string
  readonly isUtc: boolean
  /** The operator's answer: the zone in which times without a zone were written. */
  readonly answer: string | undefined
  /** Columns of type `timestamp without time zone` in tables that have rows. */
  readonly naive: readonly string[]
}

export const migrationState = (history: readonly MigrationStatus[], version: string): MigrationStatus['state'] | undefined =>
  history.find((migration) => migration.version === version)?.state

/** Refuses a history of applied migrations that does not match the folder. */
export function findHistoryProblems(history: readonly MigrationStatus[]): Finding[] {
  const problems = {
    edited: ['edited after they were applied', 'restore the files: git checkout -- db/migrations'],
    missing: ['applied, but their files are missing', 'restore the files: git checkout -- db/migrations, or git pull'],
    'out of order': ['pending, but newer migrations are applied', 'give them newer timestamps: make new name=…'],
  } as const
  return (Object.keys(problems) as Array<keyof typeof problems>).flatMap((state) => {
    const names = history.filter((row) => row.state === state).map(({ version, name }) => `${version}_${name}`)
    if (names.length === 0) return []
    const [what, remedy] = problems[state]
    return [{ code: `migrations_${state.replaceAll(' ', '_')}`, what: `migrations ${what}: ${names.join(', ')}`, remedy }]
  })
}

export async function examineAdoption(client: pg.Client, history: readonly MigrationStatus[], names: Names): Promise<Adoption> {
  const applied = history.filter(({ state }) => state === 'applied' || state === 'edited')
  const isApplied = applied.some(({ version }) => version === baselineVersion)
  if (isApplied && (applied.length > 1 || !(await exists(client, 'dbmate.adopted_differences')))) {
    return { outcome: 'adopted', differences: [] }
  }
  if (!(await hasBaselineObjects(client))) return { outcome: 'nothing there', differences: [] }
  const all = (await compare(client, names)).sort((a, b) => Number(b.isRefused) - Number(a.isRefused))
  if (!isApplied) {
    return { outcome: all.some(({ isRefused }) => isRefused) ? 'refused' : 'to adopt', differences: all }
  }
  const { outcome, differences } = await differencesSinceAdoption(client, all)
  return outcome === 'drifted' ? { outcome: 'refused', differences } : { outcome: 'adopted', differences: [] }
}

/** Columns and enum values that the schema does not define and `make adopt` has not recorded. */
export async function examineUnknown(client: pg.Client, names: Names): Promise<Map<CaseCode, Found>> {
  const known = Object.entries(tables).flatMap(([table, columns]) => Object.keys(columns).map((name) => `${table}.${name}`))
  const adopted = (await exists(client, 'dbmate.adopted_differences'))
    ? await rowsOf<{ object: string }>(client, 'select object from dbmate.adopted_differences')
    : []
  const columns = await rowsOf<{ name: string }>(
    client,
    `select format('%s.%s', a.attrelid::regclass, a.attname) as name
     from unnest($1::text[]) as wanted
     join pg_attribute as a on a.attrelid = to_regclass(wanted) and a.attnum > 0 and not a.attisdropped
     where format('%s.%s', a.attrelid::regclass, a.attname) <> all ($2::text[])
     order by a.attrelid, a.attnum`,
    [
      Object.keys(tables),
      [...known, ...[...names.columns].map((column) => `public.${column}`), ...adopted.map(({ object }) => object)],
    ],
  )
  const values = await rowsOf<{ name: string }>(
    client,
    `select format('%s: %s', name, e.enumlabel) as name
     from jsonb_each($1::jsonb) as known (name, labels)
     join pg_enum as e on e.enumtypid = to_regtype(name)
     where not labels ? e.enumlabel
     order by name, e.enumsortorder`,
    [JSON.stringify(enums)],
  )
  const found = (rows: ReadonlyArray<{ name: string }>): Found => ({
    count: rows.length,
    examples: rows.slice(0, 5).map(({ name }) => name),
  })
  return new Map([['unknown_column', found(columns)], ['unknown_enum_value', found(values)]])
}

export const isUtc = (zone: string): boolean => /^(etc\/)?(utc|gmt|uct|universal|zulu)$/i.test(zone)

/** Reads the server's time zone. Must run before the session's TimeZone is changed. */
export async function examineZone(client: pg.Client): Promise<Zone> {
  const [answer] = (await exists(client, 'dbmate.upgrade_answers'))
    ? await rowsOf<{ answer: string }>(client, `select answer from dbmate.upgrade_answers where question = 'time_zone'`)
    : []
  const [server] = await rowsOf<{ zone: string }>(client, `select current_setting('TimeZone') as zone`)
  const naive: string[] = []
  for (const table of Object.keys(tables)) {
    const rows = await rowsOf<{ name: string }>(
      client,
      `select format('%s.%I', attrelid::regclass, attname) as name from pg_attribute
       where attrelid = to_regclass($1) and attname = any ($2) and atttypid = 'timestamp'::regtype order by attnum`,
      [table, converted(table)],
    )
    if (rows.length > 0 && (await rowsOf(client, `select from ${table} limit 1`)).length > 0) naive.push(...rows.map(({ name }) => name))
  }
  return { server: server!.zone, isUtc: isUtc(server!.zone), answer: answer?.answer, naive }
}

export async function findStage(client: pg.Client, history: readonly MigrationStatus[]): Promise<Stage> {
  if (migrationState(history, finishVersion) === 'applied') return 'nothing to do'
  for (const table of Object.keys(tables)) if (!(await exists(client, table))) return 'nothing to do'
  const isExpanded = (await exists(client, 'private.upgrade_owners')) && (await exists(client, 'public.apps'))
  return isExpanded ? 'backfill pending' : 'before expand'
}
