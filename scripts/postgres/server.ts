import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { prepare } from '../../db/testing/binaries.ts'
import { claim, orphans } from '../../db/testing/claims.ts'
import {
  durable, ensureData, halt, interrupted, postmasterOf, remove, type Server, serverIn, start, superuser, throwaway, usable,
} from '../../db/testing/cluster.ts'
import { withFileLock } from './file-lock.ts'
import { Failure } from '../core/failure.ts'
import { copyData, copyDataDirectory } from './data-directory.ts'
import { locate, removeCopies, throwawayHomes } from './binaries.ts'

export { type Server, superuser }

export interface StartResult {
  readonly server: Server
  /** Whether the data directory was created. */
  readonly created: boolean
  /** Whether the server was started; false if it was running. */
  readonly started: boolean
}

export const devFolder = (): string => join(locate().home, 'postgres')

/** Starts the dev cluster: durable, not stopped by Ctrl-C or the end of this process. Keeps its data and, if free, its port. */
export const startDevServer = async (): Promise<StartResult> => startIn(devFolder())

/** The running dev cluster, if it accepts connections. Does not start it. */
export const findDevServer = async (): Promise<Server | undefined> => findIn(devFolder())

/** Stops the dev cluster. Returns whether it was running. */
export const stopDevServer = async (): Promise<boolean> => stopIn(devFolder())

/** Stops the dev cluster and removes its data. */
export async function removeDevServer(): Promise<void> {
  await removeIn(devFolder())
  removeCopies(locate())
}

export interface ThrowawayServerOptions {
  /** The folder of the programs of another PostgreSQL major version. */
  readonly native?: string
  /** The folder of a stopped cluster to copy; without it the cluster is empty. */
  readonly copyOf?: string
}

/**
 * Starts a throw-away cluster; `stop()` removes it. If this process is killed, the next call stops and removes the cluster.
 */
export async function startThrowawayServer({ native, copyOf }: ThrowawayServerOptions = {}): Promise<Server> {
  const at = locate(native)
  return usable(at.home, async () => {
    const programs = prepare(at)
    const homes = throwawayHomes(at)
    for (const home of homes) await removeAbandoned(home)
    const folder = claim(join(homes[0]!, 'test'))
    try {
      await (copyOf === undefined ? copyDataDirectory(folder, at, programs) : copyData(copyOf, folder, at))
      return await start(folder, throwaway, at, programs, () => remove(folder))
    } catch (error) {
      // After any other failure the folder stays for its log; the next call removes it.
      if (error instanceof Failure && error.exitCode === interrupted) await remove(folder)
      throw error
    }
  })
}

export async function startIn(folder: string): Promise<StartResult> {
  return usable(folder, async () => {
    const at = locate()
    const programs = prepare(at)
    return withFileLock(folder, async () => {
      const created = await ensureData(folder, durable, at, programs)
      const running = await findIn(folder)
      if (running) return { server: running, created, started: false }
      return { server: await start(folder, durable, at, programs, () => stopIn(folder)), created, started: true }
    })
  })
}

export async function findIn(folder: string): Promise<Server | undefined> {
  return usable(folder, async () => {
    const data = join(folder, 'data')
    if (postmasterOf(data) === undefined) return undefined
    const server = serverIn(folder, () => stopIn(folder))
    const refusal = await connectionRefusal(server)
    if (!refusal) return server
    const pid = postmasterOf(data)
    if (pid === undefined) return undefined
    throw new Failure(
      `PostgreSQL (process ${pid}) runs in ${folder} but does not accept connections: ${refusal.message}`,
      'try again; if it fails again, run make down',
    )
  })
}

export async function stopIn(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false
  return usable(folder, () => withFileLock(folder, () => halt(join(folder, 'data'), 'SIGINT')))
}

export async function removeIn(folder: string): Promise<void> {
  if (!existsSync(folder)) return
  await usable(folder, () => withFileLock(folder, async () => {
    await halt(join(folder, 'data'), 'SIGINT')
    rmSync(folder, { recursive: true })
  }))
}

/** Stops and removes the throw-away clusters whose process was killed. */
export async function removeAbandonedServers(native?: string): Promise<void> {
  for (const home of throwawayHomes(locate(native)).filter(existsSync)) await removeAbandoned(home)
}

/** Removes throw-away clusters whose process no longer runs. */
async function removeAbandoned(home: string): Promise<void> {
  for (const folder of orphans(join(home, 'test'))) await remove(folder)
}

/** Connects as the superuser and checks the data directory of the server. Waits while it recovers from a crash. */
async function connectionRefusal(server: Server): Promise<Error | undefined> {
  const data = join(server.folder, 'data')
  for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
    const client = new pg.Client({
      connectionString: server.url('postgres', superuser),
      connectionTimeoutMillis: 5000,
      query_timeout: 5000,
    })
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query<{ data_directory: string }>('show data_directory')
      return rows[0]?.data_directory === data ? undefined : new Error(`port ${server.port} belongs to another server`)
    } catch (error) {
      const isStarting = error instanceof pg.DatabaseError && error.code === '57P03'
      if (!isStarting || Date.now() > deadline) return error as Error
    } finally {
      await client.end().catch(() => {})
    }
  }
}
