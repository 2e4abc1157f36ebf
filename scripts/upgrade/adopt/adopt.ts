import type pg from 'pg'
import { baselineVersion, enums, tables } from './baseline.ts'
import { compare, type Difference } from './compare.ts'
import { namesIn } from './names.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { exclusively, type RunOptions } from '../../migrate/run.ts'
import { readMigrations } from '../../migrate/migrations.ts'
import { checkHistory, exists, makeChecksumTable, recordChecksums } from '../../migrate/migrator.ts'
import { conversionVersion } from '../steps.ts'

export type Outcome =
  | 'adopted'
  | 'refused'
  /** By an earlier run; `drifted` when what it recorded is no longer all there is. */
  | 'adopted already'
  | 'drifted'
  /** Migrations after the baseline are applied: it is no longer what the database is held against. */
  | 'migrated'
  /** It came to be by running the baseline. */
  | 'not adopted'

export interface Adoption {
  readonly outcome: Outcome
  /** Refused ones first. For a drift only what is new since it was adopted. */
  readonly differences: readonly Difference[]
}

/**
 * Compares the live tables with the baseline migration and, where all that is different is harmless, records the
 * differences and the migration as applied: all or nothing, in one transaction. Changes no object of the service's, and
 * takes no lock on one. `timeZone` is the operator's answer to which zone naive times are in.
 * @throws Failure when there is nothing to adopt, when other migrations than the folder's are applied, and when the zone
 * is unknown or the times are converted already.
 */
export async function adopt(
  target: Target,
  options: RunOptions & { readonly dryRun?: boolean; readonly timeZone?: string } = {},
): Promise<Adoption> {
  const migrations = await readMigrations(options.folder)
  const at = migrations.findIndex(({ version }) => version === baselineVersion)
  const baseline = migrations[at]
  if (!baseline) throw new Failure(`no migration has the version ${baselineVersion}`, 'git checkout -- db/migrations')
  const names = await namesIn(migrations.slice(at + 1))

  return exclusively(target, options, async (run) => {
    const { client } = run
    const work = async (): Promise<Adoption> => {
      const applied = await checkHistory(target, run, migrations, ['edited', 'missing', 'out of order'])
      if (options.timeZone !== undefined) await answerTimeZone(target, client, options.timeZone, applied)
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
    const isKept = adoption.outcome === 'adopted' || adoption.outcome === 'adopted already'
    await client.query(isKept && !options.dryRun ? 'commit' : 'rollback')
    return adoption
  })
}

async function answerTimeZone(target: Target, client: pg.Client, zone: string, applied: Set<string>): Promise<void> {
  if (applied.has(conversionVersion)) {
    throw new Failure(`the times of ${target.label} are converted already`, 'leave time_zone out')
  }
  const { rows } = await client.query<{ name: string }>('select name from pg_timezone_names where lower(name) = lower($1)', [zone])
  const [known] = rows
  if (!known) {
    throw new Failure(`${target.label} knows no time zone ${zone}`, 'name one as pg_timezone_names does: time_zone=Europe/Berlin')
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
      comment on table dbmate.upgrade_answers is 'What the operator of a live database said before the upgrade.';
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

/** Differences that have gone since are no drift: the database is nearer to the baseline than it was. */
export async function differencesSinceAdoption(client: pg.Client, differences: readonly Difference[]): Promise<Adoption> {
  const { rows } = await client.query<{ object: string; found: string }>(
    'select object, found from dbmate.adopted_differences',
  )
  const known = new Map(rows.map(({ object, found }) => [object, found]))
  const fresh = differences.filter(({ object, found, isRefused }) => isRefused || known.get(object) !== found)
  return fresh.length === 0 ? { outcome: 'adopted already', differences } : { outcome: 'drifted', differences: fresh }
}

async function record(client: pg.Client, differences: readonly Difference[]): Promise<void> {
  // As dbmate would make it.
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
      'How the live tables differed from the baseline when they were adopted: harmless, and known to \`make verify\`.'
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
