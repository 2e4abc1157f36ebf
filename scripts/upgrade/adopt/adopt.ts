import type pg from 'pg'
import { baselineVersion, enums, tables } from './baseline.ts'
import { compare, type Difference } from './compare.ts'
import { namesIn } from './names.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { withMigrationLock, type RunOptions } from '../../migrate/run.ts'
import { readMigrations } from '../../migrate/migrations.ts'
import { checkHistory, exists, makeChecksumTable, recordChecksums } from '../../migrate/migrator.ts'
import { conversionVersion } from '../steps.ts'

export type Outcome =
  | 'adopted'
  | 'refused'
  /** An earlier run adopted it, and recorded all the differences that exist now. */
  | 'adopted already'
  /** An earlier run adopted it, and there are differences now that it did not record. */
  | 'drifted'
  /** Migrations after the baseline are applied, so the database is no longer compared with the baseline. */
  | 'migrated'
  /** Nothing to adopt: the baseline migration was run and created the tables. */
  | 'not adopted'

export interface Adoption {
  readonly outcome: Outcome
  /** Refused differences first. If the database has drifted, only those since the adoption. */
  readonly differences: readonly Difference[]
}

/**
 * Compares the live tables with the baseline migration. If all differences are harmless, records the differences, and
 * marks the migration as applied, in one transaction. Does not change or lock any object of the service. `timeZone` is
 * the time zone of the existing times that have none; the operator supplies it.
 * @throws Failure when the database has no table of the baseline, when the history does not match the folder, when the
 * zone is unknown, and when the times are already converted.
 */
export async function adopt(
  target: Target,
  options: RunOptions & { readonly dryRun?: boolean; readonly timeZone?: string } = {},
): Promise<Adoption> {
  const migrations = await readMigrations(options.folder)
  const index = migrations.findIndex(({ version }) => version === baselineVersion)
  const baseline = migrations[index]
  if (!baseline) throw new Failure(`the baseline ${baselineVersion} is missing`, 'restore it: git checkout -- db/migrations')
  const names = await namesIn(migrations.slice(index + 1))

  return withMigrationLock(target, options, async (run) => {
    const { client } = run
    const work = async (): Promise<Adoption> => {
      const applied = await checkHistory(target, run, migrations, ['edited', 'missing', 'out of order'])
      if (options.timeZone !== undefined) await recordTimeZone(target, client, options.timeZone, applied)
      const isApplied = applied.has(baselineVersion)
      if (isApplied && !(await exists(client, 'dbmate.adopted_differences'))) {
        return { outcome: 'not adopted', differences: [] }
      }
      if (applied.size > 1) return { outcome: 'migrated', differences: [] }
      if (!isApplied && !(await hasBaselineObjects(client))) {
        throw new Failure(`${target.label} has no table or enum of the baseline, so there is nothing to adopt`, 'run `make migrate`')
      }

      const differences = (await compare(client, names)).sort((a, b) => Number(b.isRefused) - Number(a.isRefused))
      if (isApplied) return differencesSinceAdoption(client, differences)
      if (differences.some(({ isRefused }) => isRefused)) return { outcome: 'refused', differences }
      await makeChecksumTable(client)
      await record(client, differences)
      await recordChecksums(client, [baseline])
      return { outcome: 'adopted', differences }
    }

    await client.query('begin')
    const adoption = await work().catch(async (error: unknown) => {
      await client.query('rollback')
      throw error
    })
    run.signal.throwIfAborted()
    // Also commits for 'adopted already', because the time zone may have been recorded.
    const isAdopted = adoption.outcome === 'adopted' || adoption.outcome === 'adopted already'
    await client.query(isAdopted && !options.dryRun ? 'commit' : 'rollback')
    return adoption
  })
}

async function recordTimeZone(target: Target, client: pg.Client, zone: string, applied: Set<string>): Promise<void> {
  if (applied.has(conversionVersion)) {
    throw new Failure(`the times of ${target.label} are already converted`, 'omit time_zone')
  }
  const { rows } = await client.query<{ name: string }>('select name from pg_timezone_names where lower(name) = lower($1)', [zone])
  const [known] = rows
  if (!known) {
    throw new Failure(`${target.label} has no time zone ${zone}`, 'use a name from pg_timezone_names: time_zone=Europe/Berlin')
  }
  await makeChecksumTable(client)
  if (!(await exists(client, 'dbmate.upgrade_answers'))) {
    await client.query(`
      create table dbmate.upgrade_answers (
        question text not null,
        answer text not null,
        answered_at timestamptz not null default now(),
        constraint upgrade_answers_pkey primary key (question)
      );
      revoke all on dbmate.upgrade_answers from public;
      comment on table dbmate.upgrade_answers is 'The operator''s answers to questions of the upgrade.';
    `)
  }
  await client.query(
    `insert into dbmate.upgrade_answers (question, answer) values ('time_zone', $1)
     on conflict (question) do update set answer = excluded.answer, answered_at = now()`,
    [known.name],
  )
}

/** Whether the database has at least one table or enum of the baseline. */
export async function hasBaselineObjects(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select bool_or(to_regclass(name) is not null or to_regtype(name) is not null) as found
     from unnest($1::text[]) as name`,
    [[...Object.keys(tables), ...Object.keys(enums)]],
  )
  return rows[0]?.found ?? false
}

/** Ignores recorded differences that no longer exist: the database is closer to the baseline than before. */
export async function differencesSinceAdoption(client: pg.Client, differences: readonly Difference[]): Promise<Adoption> {
  const { rows } = await client.query<{ object: string; found: string }>(
    'select object, found from dbmate.adopted_differences',
  )
  const recorded = new Map(rows.map(({ object, found }) => [object, found]))
  const changed = differences.filter(({ object, found, isRefused }) => isRefused || recorded.get(object) !== found)
  return changed.length === 0 ? { outcome: 'adopted already', differences } : { outcome: 'drifted', differences: changed }
}

async function record(client: pg.Client, differences: readonly Difference[]): Promise<void> {
  // The definition that dbmate uses.
  if (!(await exists(client, 'dbmate.schema_migrations'))) {
    await client.query('create table dbmate.schema_migrations (version varchar primary key)')
  }
  await client.query(`
    create table dbmate.adopted_differences (
      object text not null,
      kind text not null,
      expected text,
      found text,
      recorded_at timestamptz not null default now(),
      constraint adopted_differences_pkey primary key (object)
    );
    revoke all on dbmate.adopted_differences from public;
    comment on table dbmate.adopted_differences is
      'Harmless differences of the live tables from the baseline when they were adopted; \`make verify\` accepts them.'
  `)
  await client.query(
    `insert into dbmate.adopted_differences (object, kind, expected, found)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])`,
    [
      differences.map(({ object }) => object),
      differences.map(({ kind }) => kind),
      differences.map(({ expected }) => expected),
      differences.map(({ found }) => found),
    ],
  )
  await client.query('insert into dbmate.schema_migrations (version) values ($1)', [baselineVersion])
}
