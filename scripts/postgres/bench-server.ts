import { join } from 'node:path'
import process from 'node:process'
import { claim, orphans } from '../../db/testing/claims.ts'
import { withClient } from '../core/connect.ts'
import { parseDatabaseUrl, type Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'
import { locate } from './binaries.ts'
import { removeIn, startIn, superuser } from './server.ts'
import { createSupabaseDatabase, createSupabaseRoles } from './supabase.ts'

export interface BenchServer {
  /** Connects as the cluster's superuser. */
  readonly admin: Target
  /** Connects to a database as `postgres`, the role that migrates. */
  readonly target: (database: string) => Target
  readonly create: (database: string) => Promise<Target>
  /** Copies a database that has no connections, then runs a checkpoint, so that earlier writes do not slow the benchmark. */
  readonly copy: (source: string, database: string) => Promise<Target>
  readonly drop: (database: string) => Promise<void>
}

/** Starts a server with the settings of the dev server, including fsync. Removes it with its data at the end, also on Ctrl-C. */
export async function withBenchServer<T>(work: (server: BenchServer) => Promise<T>): Promise<T> {
  const prefix = join(locate().home, 'bench')
  for (const folder of orphans(prefix)) await removeIn(folder)
  const folder = claim(prefix)
  let stop = (): void => undefined
  const interruption = new Promise<never>((_, reject) => {
    stop = () => reject(new Failure('interrupted; the data is removed', 'run it again', { exitCode: 130 }))
  })
  interruption.catch(() => undefined)
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const { server } = await startIn(folder)
    const admin = parseDatabaseUrl(server.url('postgres', superuser))
    await createSupabaseRoles(admin)
    const run = (sql: string) => withClient(admin, (client) => client.query(sql))
    const target = (database: string) => parseDatabaseUrl(server.url(database))
    const drop = async (database: string): Promise<void> => {
      await run(`drop database if exists ${database} with (force)`)
    }
    return await Promise.race([
      interruption,
      work({
        admin,
        target,
        drop,
        create: async (database) => {
          await createSupabaseDatabase(admin, database)
          return target(database)
        },
        copy: async (source, database) => {
          await drop(database)
          await run(`create database ${database} template ${source} strategy file_copy owner postgres`)
          await run('checkpoint')
          return target(database)
        },
      }),
    ])
  } finally {
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
    await removeIn(folder)
  }
}
