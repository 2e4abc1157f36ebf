import process from 'node:process'
import { parseDatabaseUrl } from '../core/target.ts'
import type { Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'
import { startThrowawayServer, superuser } from './server.ts'
import { createSupabaseRoles } from './supabase.ts'

/**
 * Starts a throw-away server with Supabase's roles and no other database than `postgres`; `work` gets its superuser.
 * `native` is the folder of the programs of another PostgreSQL major version.
 */
export async function withScratchServer<T>(
  work: (admin: Target) => Promise<T>,
  options: { native?: string } = {},
): Promise<T> {
  const server = await startThrowawayServer(options)
  let isInterrupted = false
  const stop = (): void => {
    isInterrupted = true
    // Without the server `work` fails and removes its temporary files. Exit after two seconds in any case.
    void server.stop().finally(() => setTimeout(() => process.exit(130), 2000).unref())
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const admin = parseDatabaseUrl(server.url('postgres', superuser))
    await createSupabaseRoles(admin)
    return await work(admin)
  } catch (cause) {
    throw isInterrupted ? new Failure('interrupted', 'run it again', { exitCode: 130, cause }) : cause
  } finally {
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
    await server.stop()
  }
}

/** Connects as `postgres`, the role that migrates. On a scratch server it has the password of the superuser. */
export function ownerOf(admin: Target): Target {
  const url = new URL(admin.dbmateUrl)
  url.username = 'postgres'
  return parseDatabaseUrl(url.href)
}
