import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { orFailure, withClient } from '../core/connect.ts'
import type { Target } from '../core/target.ts'
import { runDbmate, type DbmateError } from './dbmate.ts'
import { Failure } from '../core/failure.ts'
import { backendPid, refusePooledSessions, refusePooler } from '../core/refuse-pooler.ts'
import { fileName, type Migration } from './migrations.ts'

/**
 * The session advisory lock held by every run that changes the schema of a database: `leo_migr` in ASCII. In psql:
 * `select pg_advisory_lock(7810771584392193906)`.
 */
export const migrationLock = '7810771584392193906'

export interface RunOptions {
  /** Instead of `db/migrations`. */
  readonly folder?: string
  /** How long to wait for another run, or for a statement of a killed run that the server still executes. */
  readonly waitSeconds?: number
  /** Receives messages, one line each. */
  readonly say?: (line: string) => void
}

/** What the holder of the migration lock uses. */
export interface Run {
  /** For statements of the run itself; idle, with no transaction open, while dbmate works. */
  readonly client: pg.Client
  readonly say: (line: string) => void
  /** Aborted by Ctrl-C and by the loss of the lock; its reason is the `Failure` to end with. */
  readonly signal: AbortSignal
  /** Waits until there is no obstacle, and reports what it waits for. */
  readonly wait: (obstacle: () => Promise<Obstacle | undefined>) => Promise<void>
  /** Runs dbmate on these files and no others. */
  readonly dbmate: (command: 'migrate' | 'rollback', migrations: Migration[]) => Promise<DbmateError | undefined>
}

export interface Obstacle {
  readonly what: string
  readonly remedy: string
}

const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/**
 * Runs `body` while holding the migration lock on a session of its own.
 * @throws Failure when the lock cannot be acquired in time, and when the run is interrupted or the lock is lost: then
 * dbmate is killed, its session in the server is terminated, and the message names the newest applied version.
 */
export async function withMigrationLock<T>(
  target: Target,
  options: RunOptions,
  body: (run: Run) => Promise<T>,
): Promise<T> {
  refusePooler(target)
  return withClient(target, (lock) =>
    withClient(target, (client) => orFailure(target, () => locked(target, options, lock, client, body))),
  )
}

async function locked<T>(
  target: Target,
  options: RunOptions,
  lock: pg.Client,
  client: pg.Client,
  body: (run: Run) => Promise<T>,
): Promise<T> {
  const say = options.say ?? (() => {})
  const abort = new AbortController()
  const { signal } = abort
  const wait = waiter(options.waitSeconds ?? 900, say, signal)
  const continues = 'run it again: it continues there, and `make status` shows what is left'
  const interrupt = (name: keyof typeof signals) =>
    abort.abort(new Failure(`interrupted by ${name}`, continues, { exitCode: signals[name] }))

  await refusePooledSessions(target, lock, client)
  await takeLock(lock, wait)
  const release = guard(lock, () => abort.abort(new Failure('the session with the migration lock was lost', continues)))
  // Before this point nothing was changed, and a signal ends the process. A second signal still does.
  for (const name of Object.keys(signals)) process.once(name, interrupt)
  let underWay: string | undefined
  try {
    await wait(() => findOrphanedSession(client))
    const name = `${dbmateName}/${await backendPid(lock)}`
    const url = dbmateUrl(target, name, await liftTimeouts(client))
    const dbmate: Run['dbmate'] = async (command, migrations) => {
      signal.throwIfAborted()
      const verb = command === 'migrate' ? 'applying' : 'rolling back'
      const error = await withCopies(migrations, (folder) =>
        runDbmate(command, { url, folder, signal, onFile: (file) => say(`${verb} ${(underWay = file)}`) }),
      )
      if (error) await endSessions(client, name)
      signal.throwIfAborted()
      underWay = undefined
      return error
    }
    return await body({ client, say, signal, wait, dbmate })
  } catch (error) {
    if (!signal.aborted) throw error
    const { message, remedy, exitCode } = signal.reason as Failure
    throw new Failure(`${message}; ${await describeState(client, underWay)}`, remedy, { exitCode, cause: error })
  } finally {
    for (const name of Object.keys(signals)) process.removeListener(name, interrupt)
    release()
  }
}

// --- The lock

/**
 * Polls, because a session that *waits* in `pg_advisory_lock()` holds a snapshot, for which a `create index concurrently`
 * of the run that holds the lock would wait: a deadlock.
 */
async function takeLock(lock: pg.Client, wait: Run['wait']): Promise<void> {
  await wait(async () => {
    const { rows } = await lock.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [migrationLock])
    return rows[0]?.taken ? undefined : describeHolder(lock)
  })
}

const isOurLock = `locktype = 'advisory' and objsubid = 1 and classid::bigint << 32 | objid::bigint = ${migrationLock}`

async function describeHolder(lock: pg.Client): Promise<Obstacle> {
  const { rows } = await lock.query<{ pid: number; since: Date | null; address: string | null }>(`
    select pid, backend_start as since, host(client_addr) as address
    from pg_locks join pg_stat_activity using (pid)
    where ${isOurLock} and granted and datname = current_database()`)
  const [holder] = rows
  const who = holder
    ? `process ${holder.pid} since ${holder.since?.toISOString() ?? '?'} from ${holder.address ?? 'a local socket'}`
    : 'unknown'
  return {
    what: `another run holds the migration lock (${who})`,
    remedy: `wait for it; if its process is gone, end it: select pg_terminate_backend(${holder?.pid ?? 'pid'})`,
  }
}

/** Calls `lost` when the session has ended or no longer holds the lock. Returns a function that stops checking. */
function guard(lock: pg.Client, lost: () => void): () => void {
  const query = {
    text: `select from pg_locks where ${isOurLock} and pid = pg_backend_pid()`,
    query_timeout: 10_000,
  }
  const check = () => lock.query(query).then(({ rows }) => rows.length === 1 || lost(), lost)
  const heartbeat = setInterval(check, 5000)
  lock.once('end', lost)
  return () => {
    clearInterval(heartbeat)
    lock.removeListener('end', lost)
  }
}

function waiter(seconds: number, say: Run['say'], signal: AbortSignal): Run['wait'] {
  return async (find) => {
    const started = performance.now()
    let said = false
    for (let obstacle = await find(); obstacle; obstacle = await find()) {
      const waited = (performance.now() - started) / 1000
      if (waited >= seconds) throw new Failure(obstacle.what, obstacle.remedy)
      if (!said && waited >= 1) {
        say(`waiting: ${obstacle.what}`)
        said = true
      }
      await sleep(100, undefined, { signal })
    }
  }
}

// --- dbmate's sessions

/** Their application name, followed by the process id of the lock's session, so that sessions of a killed run are found. */
const dbmateName = 'leo-saas-schema/dbmate'

/**
 * Killing a client does not stop its statement in the server, and a dbmate whose parent was killed finishes its file.
 * Neither holds the lock, so the next run waits for them.
 */
async function findOrphanedSession(client: pg.Client): Promise<Obstacle | undefined> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name like $1 and datname = current_database()`,
    [`${dbmateName}/%`],
  )
  const [session] = rows
  return (
    session && {
      what: `a statement of a killed run is still running in the server (process ${session.pid})`,
      remedy: `wait for it, or end it: select pg_terminate_backend(${session.pid})`,
    }
  )
}

/** Terminates the sessions of this run's dbmate; if the server takes longer, the next run waits for them. */
async function endSessions(client: pg.Client, name: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { rows } = await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = $1 and datname = current_database()`,
      [name],
    )
    if (rows.length === 0) return
    await sleep(50)
  }
}

/**
 * A migration sets its own timeouts. Those of the role or the database (two minutes on hosted Supabase) would end every
 * attempt at a long index build, so they are lifted for the run's client. Returns their names, for dbmate's URL.
 */
async function liftTimeouts(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    select name, set_config(name, '0', false) from pg_settings
    where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')
      and setting <> '0'`)
  return rows.map(({ name }) => name)
}

function dbmateUrl(target: Target, applicationName: string, timeouts: string[]): string {
  const url = new URL(target.dbmateUrl)
  url.searchParams.set('application_name', applicationName)
  for (const name of timeouts) url.searchParams.set(name, '0')
  return url.href
}

/** Copies of the files that were read and checksummed, so that an edit cannot reach dbmate unchecked. */
async function withCopies<T>(migrations: Migration[], work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'leo-saas-schema-'))
  try {
    await Promise.all(migrations.map((migration) => writeFile(join(folder, fileName(migration)), migration.source)))
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function describeState(client: pg.Client, underWay: string | undefined): Promise<string> {
  const prefix = underWay === undefined ? '' : `${underWay} was running, `
  try {
    const { rows } = await client.query<{ newest: string | null }>(
      'select max(version) as newest from dbmate.schema_migrations',
    )
    return `${prefix}the newest applied version is ${rows[0]?.newest ?? 'none'}`
  } catch {
    return `${prefix}the newest applied version is unknown, since the server does not answer`
  }
}
