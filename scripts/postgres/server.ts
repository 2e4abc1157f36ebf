import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { prepare } from '../../db/testing/binaries.ts'
import { claim, orphans } from '../../db/testing/claims.ts'
import {
  durable, ensureData, halt, interrupted, postmasterOf, remove, type Server, serverIn, start, superuser, throwaway, usable,
} from '../../db/testing/cluster.ts'
import { exclusively } from './file-lock.ts'
import { Failure } from '../core/failure.ts'
import { layData } from './data-directory.ts'
import { locate, removeCopies, throwawayHomes } from './binaries.ts'

export { type Server, superuser }

export interface Started {
  readonly server: Server
  /** The data is new. */
  readonly created: boolean
  readonly started: boolean
}

export const devFolder = (): string => join(locate().home, 'postgres')

/** The dev cluster: durable, outlives this process and Ctrl-C. Keeps its data and, while it is free, its port. */
export const startDevServer = async (): Promise<Started> => startIn(devFolder())

/** The running dev cluster, found by connecting to it. Starts nothing. */
export const findDevServer = async (): Promise<Server | undefined> => findIn(devFolder())

/** Returns whether it was running. */
export const stopDevServer = async (): Promise<boolean> => stopIn(devFolder())

/** Stops the dev cluster and deletes it with its data. */
export async function removeDevServer(): Promise<void> {
  await removeIn(devFolder())
  removeCopies(locate())
}

/**
 * A throw-away cluster for one run, deleted by `stop()`. It belongs to this process: what it leaves behind when it is
 * killed is stopped and removed by the next call. `native` names the programs of another PostgreSQL major.
 */
export async function startThrowawayServer({ native }: { native?: string } = {}): Promise<Server> {
  const at = locate(native)
  return usable(at.home, async () => {
    const programs = prepare(at)
    const homes = throwawayHomes(at)
    for (const home of homes) await removeAbandoned(home)
    const folder = claim(join(homes[0]!, 'test'))
    try {
      await layData(folder, at, programs)
      return await start(folder, throwaway, at, programs, () => remove(folder))
    } catch (error) {
      // Any other failure leaves the log to be read; the next call removes it.
      if (error instanceof Failure && error.exitCode === interrupted) await remove(folder)
      throw error
    }
  })
}

export async function startIn(folder: string): Promise<Started> {
  return usable(folder, async () => {
    const at = locate()
    const programs = prepare(at)
    return exclusively(folder, async () => {
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
      `PostgreSQL (process ${pid}) runs in ${folder} but cannot be used: ${refusal.message}`,
      'try again; if that does not help, run make down',
    )
  })
}

export async function stopIn(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false
  return usable(folder, () => exclusively(folder, () => halt(join(folder, 'data'), 'SIGINT')))
}

export async function removeIn(folder: string): Promise<void> {
  if (!existsSync(folder)) return
  await usable(folder, () => exclusively(folder, async () => {
    await halt(join(folder, 'data'), 'SIGINT')
    rmSync(folder, { recursive: true })
  }))
}

/** The test servers whose owner was killed. */
async function removeAbandoned(home: string): Promise<void> {
  for (const folder of orphans(join(home, 'test'))) await remove(folder)
}

/** Connects as the superuser and makes sure whose server this is; waits while it recovers from a crash. */
async function connectionRefusal(server: Server): Promise<Error | undefined> {
  const data = join(server.folder, 'data')
  for (const giveUp = Date.now() + 60_000; ; await sleep(50)) {
    const client = new pg.Client({
      connectionString: server.url('postgres', superuser),
      connectionTimeoutMillis: 5000,
      query_timeout: 5000,
    })
    client.on('error', () => {})
    try {
      await client.connect()
      const { rows } = await client.query<{ data_directory: string }>('show data_directory')
      return rows[0]?.data_directory === data ? undefined : new Error(`port ${server.port} is another server's`)
    } catch (error) {
      const isStarting = error instanceof pg.DatabaseError && error.code === '57P03'
      if (!isStarting || Date.now() > giveUp) return error as Error
    } finally {
      await client.end().catch(() => {})
    }
  }
}
