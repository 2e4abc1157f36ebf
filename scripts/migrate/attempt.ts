import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { Failure } from '../core/failure.ts'
import { seconds } from '../core/progress.ts'
import type { DbmateError } from './dbmate.ts'
import { directiveLine, fileName, type ConcurrentIndex, type Migration } from './migrations.ts'
import type { Run } from './run.ts'

/** A batch of files for dbmate: where it ends, whether it is repeated, and how its failure is explained. */

/**
 * dbmate gets all pending files at once, up to one whose concurrent index exists already, which is returned. Such an index
 * is dropped only when its migration is next, since an earlier one may use or drop it by name.
 */
export async function batchEnd(run: Run, pending: Migration[]): Promise<Migration | undefined> {
  for (const [at, migration] of pending.entries()) {
    if (!migration.concurrentIndex || !(await findIndex(run.client, migration.concurrentIndex))) continue
    if (at > 0) return migration
    await dropLeftover(run, migration, migration.concurrentIndex)
  }
  return undefined
}

interface FoundIndex {
  /** Quoted and with its schema. */
  readonly name: string
  readonly on: string | null
  readonly is_valid: boolean | null
  readonly is_on_table: boolean
  /** The process that is building it. */
  readonly builder: number | null
}

/** The relation that has the name of this index, of any kind. */
async function findIndex(client: pg.Client, index: ConcurrentIndex): Promise<FoundIndex | undefined> {
  const { rows } = await client.query<FoundIndex>(
    `select format('%I.%I', n.nspname, c.relname) as name,
            i.indrelid::regclass::text as on,
            i.indisvalid as is_valid,
            coalesce(i.indrelid = t.oid, false) as is_on_table,
            (select pid from pg_stat_progress_create_index where index_relid = c.oid limit 1) as builder
     from pg_class t
     join pg_namespace n on n.oid = t.relnamespace
     join pg_class c on c.relnamespace = n.oid and c.relname = $1
     left join pg_index i on i.indexrelid = c.oid
     where t.oid = to_regclass(concat_ws('.', quote_ident($2), quote_ident($3)))`,
    [index.name, index.schema, index.table],
  )
  return rows[0]
}

/** Drops an index whose migration is not recorded: the run was killed, or the build failed. */
async function dropLeftover({ client, say, wait }: Run, migration: Migration, index: ConcurrentIndex): Promise<void> {
  await wait(async () => {
    const builder = (await findIndex(client, index))?.builder
    if (!builder) return undefined
    return {
      what: `process ${builder} is building ${index.name}`,
      remedy: `wait for it, or end it: select pg_terminate_backend(${builder})`,
    }
  })
  const found = await findIndex(client, index)
  if (!found) return
  if (!found.is_on_table) {
    const other = found.on === null ? 'not an index' : `an index on ${found.on}`
    throw new Failure(
      `${fileName(migration)} builds ${index.name} on ${index.table}, but ${found.name} is ${other}`,
      'rename one of the two',
    )
  }
  const state = found.is_valid ? 'valid' : 'invalid'
  say(`dropping the ${state} index ${found.name}, of a migration that is not recorded: it is built again`)
  await client.query(`drop index concurrently ${found.name}`)
}

const tries = 5
const lockStates = ['55P03', '40P01']

/** Decides whether to retry a file that got no lock, and waits before: longer each time, with jitter. */
export function retries({ say, signal }: Run): (error: DbmateError) => Promise<boolean> {
  let file: string | undefined
  let tried = 0
  return async (error) => {
    if (!lockStates.includes(error.sqlState ?? '')) return false
    tried = error.file === file ? tried + 1 : 1
    file = error.file
    if (tried === tries) return false
    const delay = 500 * 2 ** (tried - 1) * (0.75 + Math.random() / 2)
    say(`${file}: ${reason(error)}; try ${tried + 1} of ${tries} in ${seconds(delay)}`)
    await sleep(delay, undefined, { signal })
    return true
  }
}

/** The `Failure` of a migration: where it stopped, and what to do. */
export async function explain(run: Run, error: DbmateError, wanted: Migration[], pending: Migration[]): Promise<Failure> {
  const failed = wanted.find((migration) => fileName(migration) === error.file)
  const found = failed?.concurrentIndex && (await findIndex(run.client, failed.concurrentIndex))
  const done = wanted.slice(0, wanted.length - pending.length)
  const last = done.at(-1)
  const what = [
    failed ? `${place(failed, 'up', error)}: ${reason(error)}` : reason(error),
    found?.is_on_table && !found.is_valid && `it left the invalid index ${found.name}, which the next run drops`,
    last ? `${done.length} applied before it, up to ${fileName(last)}` : 'this run applied none before it',
  ].filter((part) => part)
  return new Failure(what.join('; '), `${remedyFor(error)} and run \`make migrate\` again: it continues there`)
}

function remedyFor({ message, sqlState = '' }: DbmateError): string {
  if (lockStates.includes(sqlState)) return 'end the session that holds the lock (`make doctor` shows it)'
  // Projects of PostgreSQL 17 from before June 2025 lack it.
  if (sqlState === '42501' && /admin option|grant role/i.test(message)) {
    return (
      'let a superuser (on Supabase supabase_admin: ask its support) run ' +
      '`grant anon, authenticated, service_role to postgres with admin option`'
    )
  }
  if (sqlState === '25006') return 'use the primary, or turn default_transaction_read_only off,'
  return 'correct the cause'
}

/** dbmate reported success, and the database has no record of it. */
export const unrecorded = (): Failure =>
  new Failure(
    'dbmate succeeded but changed nothing',
    'DBMATE_MIGRATIONS_TABLE in .dbmate.env must be dbmate.schema_migrations',
  )

/** File and line of an error. */
export const place = (migration: Migration, section: 'up' | 'down', { line }: DbmateError): string =>
  fileName(migration) + (line === undefined ? '' : `:${directiveLine(migration, section) + line - 1}`)

export const reason = ({ message, sqlState }: DbmateError): string =>
  message + (sqlState === undefined ? '' : ` (${sqlState})`)
