import { execFile } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { chownSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Installation, instead, makeFolder } from './binaries.ts'
import { claim, commandLine, orphans } from './claims.ts'
import { Failure } from './failure.ts'

export interface Server {
  readonly port: number
  /** Holds `data/`, `log`, `password` and `port`. */
  readonly folder: string
  readonly major: number
  /** With the password, on 127.0.0.1, and ending in `?sslmode=disable`. */
  url(database: string, user?: string): string
  stop(): Promise<void>
}

/** The cluster's only login at first; `postgres` is made later and is no superuser, as on hosted Supabase. */
export const superuser = 'supabase_admin'

export const interrupted = 130
const reset = 'run make reset, which deletes the local data'

export interface Kind {
  readonly initdb: readonly string[]
  readonly settings: Readonly<Record<string, string | number>>
}

export const durable: Kind = {
  initdb: [],
  settings: {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    wal_level: 'logical',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
  },
}

export const throwaway: Kind = {
  // The cost of SCRAM stays at its default: dbmate's driver refuses fewer iterations.
  initdb: ['--no-sync'],
  settings: {
    ...durable.settings,
    max_connections: 200,
    shared_buffers: '256MB',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    // A worker in the template makes `create database` wait for it.
    autovacuum: 'off',
  },
}

/** The port of last time; nothing where the file is missing or was cut off. */
function portOf(folder: string): number | undefined {
  const file = join(folder, 'port')
  const port = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  return Number.isInteger(port) && port > 1023 && port < 65_536 ? port : undefined
}

/** The server whose files are in this folder. */
export function serverIn(folder: string, stop: () => Promise<unknown>): Server {
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const port = portOf(folder) ?? Number(read('data/postmaster.pid').split('\n')[3])
  const password = read('password')
  return {
    port,
    folder,
    major: Number(read('data/PG_VERSION')),
    url: (database, user = 'postgres') => {
      const login = `${encodeURIComponent(user)}:${password}`
      return `postgres://${login}@127.0.0.1:${port}/${encodeURIComponent(database)}?sslmode=disable`
    },
    stop: async () => {
      await stop()
    },
  }
}

/** Returns whether the data folder was made now. It appears under its name only when it is complete. */
export async function ensureData(folder: string, kind: Kind, at: Installation, programs: string): Promise<boolean> {
  const data = join(folder, 'data')
  makeFolder(folder, at.user)
  for (const path of orphans(data)) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  if (existsSync(data)) {
    checkData(folder, at)
    return false
  }
  const password = join(folder, 'password')
  rmSync(password, { force: true })
  writeFileSync(password, randomBytes(18).toString('base64url'), { mode: 0o600 })
  give(password, at)
  const unfinished = claim(data)
  mkdirSync(unfinished, { mode: 0o700 })
  give(unfinished, at)
  try {
    await run(join(programs, 'initdb'), at, [
      `--pgdata=${unfinished}`,
      `--username=${superuser}`,
      `--pwfile=${password}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      ...kind.initdb,
    ])
  } catch (cause) {
    for (const path of [unfinished, password]) rmSync(path, { recursive: true, force: true })
    if (cause instanceof Failure) throw cause
    throw new Failure(`initdb failed in ${folder}: ${complaint(outputOf(cause))}`, instead, { cause })
  }
  renameSync(unfinished, data)
  return true
}

function checkData(folder: string, { major, user }: Installation): void {
  const data = join(folder, 'data')
  const owner = lstatSync(data).uid
  const uid = user?.uid ?? process.geteuid?.()
  if (owner !== uid) {
    throw new Failure(`${data} belongs to user ${owner}, and PostgreSQL would run as ${uid}`, `chown it, or ${reset}`)
  }
  if (!existsSync(join(data, 'PG_VERSION'))) {
    throw new Failure(`${data} is there but holds no PostgreSQL data`, `move it away, or ${reset}`)
  }
  const version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (version !== `${major}`) {
    throw new Failure(`${data} was made by PostgreSQL ${version}, and this is PostgreSQL ${major}`, reset)
  }
  if (!existsSync(join(folder, 'password'))) {
    throw new Failure(`the password of ${data} is lost: ${join(folder, 'password')} is not there`, reset)
  }
}

export async function start(
  folder: string,
  kind: Kind,
  at: Installation,
  programs: string,
  stop: () => Promise<unknown>,
): Promise<Server> {
  const data = join(folder, 'data')
  const log = join(folder, 'log')
  const portFile = join(folder, 'port')
  // Left by a killed server, and its id may be another process's or a zombie's by now, which stops PostgreSQL. Without
  // the file it still refuses a folder whose old processes live: they hold the shared memory that goes by its inode.
  rmSync(join(data, 'postmaster.pid'), { force: true })
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(portOf(folder))
    writeFileSync(portFile, `${port}`)
    rmSync(log, { force: true })
    writeFileSync(log, '', { mode: 0o600 })
    give(log, at)
    const settings = Object.entries({ port, ...kind.settings }).map(([name, value]) => `-c ${name}=${value}`)
    try {
      await run(join(programs, 'pg_ctl'), at, ['start', '-w', '-D', data, '-l', log, '-o', settings.join(' ')])
      return serverIn(folder, stop)
    } catch (cause) {
      if (cause instanceof Failure) throw cause
      const output = readFileSync(log, 'utf8')
      // Someone took the port since, or the backends of a killed server are still on their way out.
      const isPassing = /could not bind|pre-existing shared memory block/.test(output)
      if (!isPassing || attempt === 10) {
        throw new Failure(`PostgreSQL does not start: ${complaint(output || outputOf(cause))}`, `see ${log}`, { cause })
      }
      await sleep(200)
    }
  }
}

/** Stops a throw-away cluster, of which nothing is worth a checkpoint, and deletes it. */
export async function remove(folder: string): Promise<void> {
  await halt(join(folder, 'data'), 'SIGQUIT')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** Returns whether there was anything to stop. */
export async function halt(data: string, signal: 'SIGINT' | 'SIGQUIT'): Promise<boolean> {
  const pid = postmasterOf(data)
  if (pid === undefined) return false
  process.kill(pid, signal)
  for (const giveUp = Date.now() + 60_000; isPostmaster(pid, data); await sleep(10)) {
    if (Date.now() > giveUp) {
      throw new Failure(`PostgreSQL (process ${pid}) has not stopped for a minute`, `see ${join(data, '../log')}`)
    }
  }
  return true
}

/** The process that serves this data folder: what `postmaster.pid` says, when that process says so too. */
export function postmasterOf(data: string): number | undefined {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
  return isPostmaster(pid, data) ? pid : undefined
}

const isPostmaster = (pid: number, data: string): boolean => commandLine(pid).includes(` -D ${data} `)

/** Below the range that outgoing connections take theirs from, so that a stopped server finds its port free again. */
async function freePort(preferred: number | undefined): Promise<number> {
  let port = preferred ?? randomInt(20_000, 32_000)
  while (!(await isFree(port))) port = randomInt(20_000, 32_000)
  return port
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

/** As the server's user. */
export async function run(program: string, { user }: Installation, args: string[]): Promise<void> {
  let isInterrupted = false
  const interrupt = (): void => {
    isInterrupted = true
  }
  // Ctrl-C reaches the program too. It undoes what it began, pg_ctl stops the server; then the caller cleans up.
  process.on('SIGINT', interrupt)
  try {
    // The server's user may not be able to enter the current folder, and the caller's PG* variables are not for it.
    await promisify(execFile)(program, args, { ...user, cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C' } })
  } catch (cause) {
    if (!isInterrupted) throw cause
  } finally {
    process.off('SIGINT', interrupt)
  }
  if (isInterrupted) throw new Failure('interrupted', 'run it again', { exitCode: interrupted })
}

function give(path: string, { user }: Installation): void {
  if (user) chownSync(path, user.uid, user.gid)
}

export const outputOf = (error: unknown): string =>
  (error instanceof Error && 'stderr' in error && `${error.stderr}`) || String(error)

/** What a log or an error output says went wrong: from its last fatal line on, else its last line. */
function complaint(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\S+ \S+ \S+ \[\d+\] /, ''))
    .filter((line) => line.trim() !== '' && !line.includes('database system is shut down'))
  const fatal = lines.findLastIndex((line) => /\b(FATAL|PANIC|error):/.test(line))
  return lines.slice(fatal).join('\n') || 'without a word'
}

/** A folder that cannot be read or written is the user's to mend, not a defect. */
export async function usable<T>(folder: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    throw new Failure(`${folder} cannot be used: ${error.message}`, `let this user write there, or ${instead}`, {
      cause: error,
    })
  }
}
