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
 * The session advisory lock that whoever changes a database's schema holds: `leo_migr` in ASCII. In psql:
 * `select pg_advisory_lock(7810771584392193906)`.
 */
export const migrationLock = '7810771584392193906'

export interface RunOptions {
  /** Instead of `db/migrations`. */
  readonly folder?: string
  /** How long to wait for another run, or for what a killed run left working in the server. */
  readonly waitSeconds?: number
  /** Hears what happens, a line at a time. */
  readonly say?: (line: string) => void
}

/** What the holder of the migration lock works with. */
export interface Run {
  /** For statements of the run itself; idle, with no transaction open, while dbmate works. */
  readonly client: pg.Client
  readonly say: (line: string) => void
  /** Aborted by Ctrl-C and by the loss of the lock; its reason is the `Failure` to end with. */
  readonly signal: AbortSignal
  /** Waits until there is no obstacle; says what it waits for. */
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
 * @throws Failure when the lock is not to be had, and when the run is interrupted or the lock lost: dbmate is killed,
 * its session in the server ended, and the message says where the database stands.
 */
export async function exclusively<T>(
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
  const wait = patience(options.waitSeconds ?? 900, say, signal)
  const continues = 'run it again: it continues there, and `make status` shows what is left'
  const interrupt = (name: keyof typeof signals) =>
    abort.abort(new Failure(`interrupted by ${name}`, continues, { exitCode: signals[name] }))

  await refusePooledSessions(target, lock, client)
  await takeLock(lock, wait)
  const release = guard(lock, () => abort.abort(new Failure('the session with the migration lock was lost', continues)))
  // Until here nothing was touched, and a signal may simply end the process. A second one still does.
  for (const name of Object.keys(signals)) process.once(name, interrupt)
  let underWay: string | undefined
  try {
    await wait(() => leftSession(client))
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
    throw new Failure(`${message}; ${await standing(client, underWay)}`, remedy, { exitCode, cause: error })
  } finally {
    for (const name of Object.keys(signals)) process.removeListener(name, interrupt)
    release()
  }
}

// --- The lock

/**
 * Tried again and again, because a session that *waits* in `pg_advisory_lock()` has a snapshot, which a
 * `create index concurrently` of the run that it waits for would wait for in turn: a deadlock.
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
    remedy: `wait for it; if it is dead, end it: select pg_terminate_backend(${holder?.pid ?? 'pid'})`,
  }
}

/** Calls `lost` once the session is gone or no longer holds the lock; returns what ends the watch. */
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

function patience(seconds: number, say: Run['say'], signal: AbortSignal): Run['wait'] {
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

/** Their application name, followed by the lock session's process id: so a killed run's are found. */
const dbmateName = 'leo-saas-schema/dbmate'

/**
 * Killing a client does not stop its statement in the server, and a dbmate whose wrapper was killed finishes its file.
 * Neither holds the lock any more, so whoever takes it next waits for them.
 */
async function leftSession(client: pg.Client): Promise<Obstacle | undefined> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name like $1 and datname = current_database()`,
    [`${dbmateName}/%`],
  )
  const [session] = rows
  return (
    session && {
      what: `a run that was killed still works in the server (process ${session.pid})`,
      remedy: `wait for it, or end it: select pg_terminate_backend(${session.pid})`,
    }
  )
}

/** Ends what this run's dbmate left; if the server takes longer than that, the next run waits for it. */
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
 * A migration names its own timeouts. Those of the role or the database (two minutes on hosted Supabase) would end a
 * long index build each time anew, so they are lifted for the run's client, and the names returned for dbmate's URL.
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

/** Copies of what was read and checksummed, so that nobody edits it between that and dbmate's own look. */
async function withCopies<T>(migrations: Migration[], work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'leo-saas-schema-'))
  try {
    await Promise.all(migrations.map((migration) => writeFile(join(folder, fileName(migration)), migration.source)))
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function standing(client: pg.Client, underWay: string | undefined): Promise<string> {
  const meanwhile = underWay === undefined ? '' : `${underWay} was under way, `
  try {
    const { rows } = await client.query<{ newest: string | null }>(
      'select max(version) as newest from dbmate.schema_migrations',
    )
    return `${meanwhile}the newest applied version is ${rows[0]?.newest ?? 'none'}`
  } catch {
    return `${meanwhile}what is applied is unknown, for the server does not answer`
  }
}
