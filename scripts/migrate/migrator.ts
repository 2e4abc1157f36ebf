import type pg from 'pg'
import { orFailure, withClient } from '../core/connect.ts'
import type { Target } from '../core/target.ts'
import { batchEnd, explain, place, reason, retries, unrecorded } from './attempt.ts'
import type { DbmateError } from './dbmate.ts'
import { Failure } from '../core/failure.ts'
import { withMigrationLock, type Run, type RunOptions } from './run.ts'
import { fileName, readMigrations, type Migration } from './migrations.ts'

export interface MigrationStatus {
  readonly version: string
  readonly name: string
  readonly state: 'applied' | 'pending' | 'edited' | 'missing' | 'out of order'
}

/**
 * Applies the pending migrations, up to and including `upTo`. Can be repeated after it was killed at any moment.
 * @throws Failure when the applied migrations differ from the folder's, when one fails, on a timeout of the lock, on Ctrl-C.
 */
export async function migrate(
  target: Target,
  options: RunOptions & { readonly upTo?: string } = {},
): Promise<{ applied: Migration[] }> {
  const migrations = await readMigrations(options.folder)
  const { upTo } = options
  if (upTo !== undefined && !migrations.some(({ version }) => version === upTo)) {
    throw new Failure(`no migration has the version ${upTo}`, 'name one that `make status` lists')
  }
  const files = migrations.filter(({ version }) => upTo === undefined || version <= upTo)
  return withMigrationLock(target, options, async (run) => {
    if (options.folder === undefined) await requireMigratable(target, run.client)
    const before = await checkHistory(target, run, migrations, ['edited', 'missing', 'out of order'])
    const wanted = files.filter(({ version }) => !before.has(version))
    // Before they run, so that a killed run cannot leave an applied migration without its checksum.
    await recordChecksums(run.client, wanted)

    const retry = retries(run)
    for (let pending = wanted; pending.length > 0; ) {
      const end = await batchEnd(run, pending)
      const error = await run.dbmate('migrate', files.slice(0, end && files.indexOf(end)))
      const applied = await readApplied(run.client)
      const left = pending.filter(({ version }) => !applied.has(version))
      if (error && left.length > 0 && !(await retry(error))) throw await explain(run, error, wanted, left)
      if (!error && left.length === pending.length) throw unrecorded()
      pending = left
    }
    return { applied: wanted }
  })
}

export interface RollbackOptions extends RunOptions {
  /** The version that stays the newest; without it only the newest migration is undone. */
  readonly to?: string
}

/**
 * Undoes the newest applied migration, or all that are newer than `to`, the newest first, and returns them.
 * @throws Failure when a down section refuses, as it does where rows would be lost: that migration and the older ones stay.
 */
export async function rollback(target: Target, options: RollbackOptions = {}): Promise<Migration[]> {
  const migrations = await readMigrations(options.folder)
  return withMigrationLock(target, options, async (run) => {
    const applied = await checkHistory(target, run, migrations, ['edited', 'missing'])
    const list = toUndo(migrations, applied, options.to)
    for (const [at, migration] of list.entries()) {
      const error = await undo(run, migrations, migration)
      if (!error) continue
      const undone = list.slice(0, at).map(fileName)
      throw new Failure(
        `${place(migration, 'down', error)} stays applied: ${reason(error)}` +
          (undone.length === 0 ? '' : `; undone before it: ${undone.join(', ')}`) +
          (list.length - at > 1 ? `; not undone either: ${list.slice(at + 1).map(fileName).join(', ')}` : ''),
        'correct the cause and try again, or undo it with a new migration (`make new name=…`)',
      )
    }
    return list
  })
}

/** What `rollback` would undo. Takes no lock and changes nothing. */
export async function previewRollback(target: Target, { folder, to }: RollbackOptions = {}): Promise<Migration[]> {
  const migrations = await readMigrations(folder)
  return withClient(target, (client) => orFailure(target, async () => toUndo(migrations, await readApplied(client), to)))
}

function toUndo(migrations: readonly Migration[], applied: ReadonlySet<string>, to: string | undefined): Migration[] {
  const newestFirst = migrations.filter(({ version }) => applied.has(version)).reverse()
  if (to === undefined) return newestFirst.slice(0, 1)
  if (newestFirst.some(({ version }) => version === to)) return newestFirst.filter(({ version }) => version > to)
  throw new Failure(`no applied migration has the version ${to}`, 'name one that `make status all=1` lists as applied')
}

async function undo(run: Run, migrations: readonly Migration[], migration: Migration): Promise<DbmateError | undefined> {
  const retry = retries(run)
  for (;;) {
    const error = await run.dbmate('rollback', migrations.slice(0, migrations.indexOf(migration) + 1))
    if (!(await readApplied(run.client)).has(migration.version)) break
    if (!error) throw unrecorded()
    if (!(await retry(error))) return error
  }
  await run.client.query('delete from dbmate.migration_checksums where version = $1', [migration.version])
  return undefined
}

/** All migrations of the folder and of the database, by version. Takes no lock and changes nothing. */
export async function status(target: Target, options: { readonly folder?: string } = {}): Promise<MigrationStatus[]> {
  const migrations = await readMigrations(options.folder)
  return withClient(target, (client) => orFailure(target, async () => compare(client, migrations)))
}

/** Before anything is changed: the first migrations would still succeed. */
export async function requireMigratable(target: Target, client: pg.Client): Promise<void> {
  await requireUtf8(target, client)
  const { rows } = await client.query<{ found: boolean }>(`select exists (
    select from pg_class join pg_namespace n on n.oid = relnamespace where nspname = 'auth' and relname = 'users'
  ) as found`)
  if (rows[0]?.found) return
  throw new Failure(
    `${target.label} has no table auth.users, so it is not a Supabase database`,
    'check DATABASE_URL; on a local plain PostgreSQL `make up` creates what is missing',
  )
}

/** The schema and the rows hold characters that other encodings lack. */
export async function requireUtf8({ database, label }: Target, client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>(`select current_setting('server_encoding') as encoding`)
  const encoding = rows[0]?.encoding
  if (encoding === 'UTF8') return
  const remedy = `copy it into one that is: create database ${database}_utf8 encoding 'UTF8' template template0`
  throw new Failure(`${label} has the encoding ${encoding}, not UTF8`, remedy)
}

// --- The applied migrations, compared with the folder

async function readApplied(client: pg.Client): Promise<Set<string>> {
  if (!(await exists(client, 'dbmate.schema_migrations'))) return new Set()
  const { rows } = await client.query<{ version: string }>('select version from dbmate.schema_migrations')
  return new Set(rows.map(({ version }) => version))
}

async function readChecksums(client: pg.Client): Promise<Map<string, { name: string; checksum: string }>> {
  if (!(await exists(client, 'dbmate.migration_checksums'))) return new Map()
  const { rows } = await client.query<{ version: string; name: string; checksum: string }>(
    'select version, name, checksum from dbmate.migration_checksums',
  )
  return new Map(rows.map((row) => [row.version, row]))
}

export async function exists(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>('select to_regclass($1) is not null as found', [table])
  return rows[0]?.found === true
}

async function compare(client: pg.Client, migrations: Migration[]): Promise<MigrationStatus[]> {
  const applied = await readApplied(client)
  const recorded = await readChecksums(client)
  const newest = [...applied].sort().at(-1) ?? ''
  const stateOf = ({ version, checksum }: Migration): MigrationStatus['state'] => {
    if (!applied.has(version)) return version < newest ? 'out of order' : 'pending'
    return (recorded.get(version)?.checksum ?? checksum) === checksum ? 'applied' : 'edited'
  }
  const known = new Set(migrations.map(({ version }) => version))
  const missing = [...applied]
    .filter((version) => !known.has(version))
    .map((version) => ({ version, name: recorded.get(version)?.name ?? 'unknown', state: 'missing' as const }))
  return [
    ...migrations.map((migration) => ({ version: migration.version, name: migration.name, state: stateOf(migration) })),
    ...missing,
  ].sort((a, b) => (a.version < b.version ? -1 : 1))
}

const remedies = {
  edited: 'restore it (`git checkout -- db/migrations`) and put the change in a new migration (`make new name=…`)',
  missing: 'bring it back (`git checkout -- db/migrations`), or `git pull`: the database may be ahead of this clone',
  'out of order': 'give it a newer timestamp: `make new name=…` makes a file to move it into',
}

const descriptions = {
  edited: 'edited after they were applied',
  missing: 'applied, but their files are gone',
  'out of order': 'not applied, though newer ones are',
}

/** Refuses a history that differs from the folder, and returns the applied versions. */
export async function checkHistory(
  target: Target,
  { client, say }: Run,
  migrations: Migration[],
  refused: Array<keyof typeof remedies>,
): Promise<Set<string>> {
  const found = await compare(client, migrations)
  for (const state of refused) {
    const names = found.filter((row) => row.state === state).map((row) => `${row.version}_${row.name}.sql`)
    if (names.length === 0) continue
    const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
    const reset = target.isLocal ? '; if the database can be lost, start again with `make reset`' : ''
    throw new Failure(`migrations ${descriptions[state]}: ${names.slice(0, 3).join(', ')}${more}`, remedies[state] + reset)
  }
  const applied = await readApplied(client)
  if (migrations.length > 0) await makeChecksumTable(client)
  // Applied by plain dbmate, or adopted. Without a checksum a refusal could only be answered by recording the file as it
  // is. This does so and reports it; later edits are detected.
  const recorded = await readChecksums(client)
  const trusted = migrations.filter(({ version }) => applied.has(version) && !recorded.has(version))
  await recordChecksums(client, trusted)
  for (const migration of trusted) say(`${fileName(migration)} was applied without a checksum: recorded as it is now`)
  return applied
}

export async function makeChecksumTable(client: pg.Client): Promise<void> {
  if (await exists(client, 'dbmate.migration_checksums')) return
  // `create schema if not exists` requires the privilege to create one even where it exists.
  const { rows } = await client.query(`select from pg_namespace where nspname = 'dbmate'`)
  await client.query(`
    ${rows.length === 0 ? 'create schema dbmate;' : ''}
    revoke all on schema dbmate from public;
    create table dbmate.migration_checksums (
      version text not null,
      name text not null,
      checksum text not null,
      recorded_at timestamptz not null default now(),
      constraint migration_checksums_pkey primary key (version)
    );
    revoke all on dbmate.migration_checksums from public;
    comment on table dbmate.migration_checksums is
      'SHA-256 of each migration''s file, written before it runs; one that is not in schema_migrations means nothing.'
  `)
}

export async function recordChecksums(client: pg.Client, migrations: Migration[]): Promise<void> {
  if (migrations.length === 0) return
  await client.query(
    `insert into dbmate.migration_checksums (version, name, checksum)
     select * from unnest($1::text[], $2::text[], $3::text[])
     on conflict (version) do update set name = excluded.name, checksum = excluded.checksum, recorded_at = now()`,
    [migrations.map((m) => m.version), migrations.map((m) => m.name), migrations.map((m) => m.checksum)],
  )
}
