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
  /** A URL with the password, on 127.0.0.1, that ends in `?sslmode=disable`. */
  url(database: string, user?: string): string
  stop(): Promise<void>
}

/** The login that initdb creates. `postgres` is created later and is not a superuser, as on hosted Supabase. */
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
  // The iteration count of SCRAM keeps its default, because dbmate's driver rejects a smaller one.
  initdb: ['--no-sync'],
  settings: {
    ...durable.settings,
    max_connections: 200,
    shared_buffers: '256MB',
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    // `create database` waits for an autovacuum worker in the template.
    autovacuum: 'off',
  },
}

/** The port of the last start; undefined if the file is missing or truncated. */
function portOf(folder: string): number | undefined {
  const file = join(folder, 'port')
  const port = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  return Number.isInteger(port) && port > 1023 && port < 65_536 ? port : undefined
}

/** Describes the server whose files are in this folder. */
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

/** Creates the data folder if it is missing, and returns whether it did. The folder has its name only when it is complete. */
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
  chownToServer(password, at)
  const unfinished = claim(data)
  mkdirSync(unfinished, { mode: 0o700 })
  chownToServer(unfinished, at)
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
    throw new Failure(`initdb failed in ${folder}: ${errorIn(outputOf(cause))}`, instead, { cause })
  }
  renameSync(unfinished, data)
  return true
}

function checkData(folder: string, { major, user }: Installation): void {
  const data = join(folder, 'data')
  const owner = lstatSync(data).uid
  const uid = user?.uid ?? process.geteuid?.()
  if (owner !== uid) {
    throw new Failure(`${data} belongs to user ${owner}, but PostgreSQL runs as ${uid}`, `chown it, or ${reset}`)
  }
  if (!existsSync(join(data, 'PG_VERSION'))) {
    throw new Failure(`${data} exists but has no PostgreSQL data`, `move it, or ${reset}`)
  }
  const version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  if (version !== `${major}`) {
    throw new Failure(`${data} was created by PostgreSQL ${version}, but this is PostgreSQL ${major}`, reset)
  }
  if (!existsSync(join(folder, 'password'))) {
    throw new Failure(`the password of ${data} is missing: ${join(folder, 'password')} does not exist`, reset)
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
  // A killed server leaves the file, and its id may now be that of another process or a zombie, which prevents a start.
  // Without the file PostgreSQL still rejects a folder whose processes run: they hold its shared memory.
  rmSync(join(data, 'postmaster.pid'), { force: true })
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(portOf(folder))
    writeFileSync(portFile, `${port}`)
    rmSync(log, { force: true })
    writeFileSync(log, '', { mode: 0o600 })
    chownToServer(log, at)
    const settings = Object.entries({ port, ...kind.settings }).map(([name, value]) => `-c ${name}=${value}`)
    try {
      await run(join(programs, 'pg_ctl'), at, ['start', '-w', '-D', data, '-l', log, '-o', settings.join(' ')])
      return serverIn(folder, stop)
    } catch (cause) {
      if (cause instanceof Failure) throw cause
      const output = readFileSync(log, 'utf8')
      // Another process took the port, or backends of a killed server have not ended yet.
      const isTemporary = /could not bind|pre-existing shared memory block/.test(output)
      if (!isTemporary || attempt === 10) {
        throw new Failure(`PostgreSQL does not start: ${errorIn(output || outputOf(cause))}`, `see ${log}`, { cause })
      }
      await sleep(200)
    }
  }
}

/** Stops a throw-away cluster without a checkpoint, and deletes it. */
export async function remove(folder: string): Promise<void> {
  await halt(join(folder, 'data'), 'SIGQUIT')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** Stops the server, and returns whether it was running. */
export async function halt(data: string, signal: 'SIGINT' | 'SIGQUIT'): Promise<boolean> {
  const pid = postmasterOf(data)
  if (pid === undefined) return false
  process.kill(pid, signal)
  for (const deadline = Date.now() + 60_000; isPostmaster(pid, data); await sleep(10)) {
    if (Date.now() > deadline) {
      throw new Failure(`PostgreSQL (process ${pid}) did not stop within a minute`, `see ${join(data, '../log')}`)
    }
  }
  return true
}

/** The process that serves this data folder: the one in `postmaster.pid`, if its command line names the folder. */
export function postmasterOf(data: string): number | undefined {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
  return isPostmaster(pid, data) ? pid : undefined
}

const isPostmaster = (pid: number, data: string): boolean => commandLine(pid).includes(` -D ${data} `)

/** Below the range of outgoing connections, so that the port of a stopped server remains free. */
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

/** Runs a program as the server's user. */
export async function run(program: string, { user }: Installation, args: string[]): Promise<void> {
  let isInterrupted = false
  const interrupt = (): void => {
    isInterrupted = true
  }
  // Ctrl-C reaches the program as well: it cleans up, pg_ctl stops the server, and then the caller cleans up.
  process.on('SIGINT', interrupt)
  try {
    // The server's user may not be able to enter the current folder. The caller's PG* variables must not apply.
    await promisify(execFile)(program, args, { ...user, cwd: '/', env: { PATH: process.env['PATH'], LC_ALL: 'C' } })
  } catch (cause) {
    if (!isInterrupted) throw cause
  } finally {
    process.off('SIGINT', interrupt)
  }
  if (isInterrupted) throw new Failure('interrupted', 'run it again', { exitCode: interrupted })
}

function chownToServer(path: string, { user }: Installation): void {
  if (user) chownSync(path, user.uid, user.gid)
}

export const outputOf = (error: unknown): string =>
  (error instanceof Error && 'stderr' in error && `${error.stderr}`) || String(error)

/** The error in a log or an error output: the text from its last fatal line on, else its last line. */
function errorIn(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/^\d{4}-\S+ \S+ \S+ \[\d+\] /, ''))
    .filter((line) => line.trim() !== '' && !line.includes('database system is shut down'))
  const fatal = lines.findLastIndex((line) => /\b(FATAL|PANIC|error):/.test(line))
  return lines.slice(fatal).join('\n') || 'no output'
}

/** Converts an error of the file system to a Failure, because the user can correct it. */
export async function usable<T>(folder: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    throw new Failure(`${folder} cannot be used: ${error.message}`, `grant this user write access, or ${instead}`, {
      cause: error,
    })
  }
}
