import process from 'node:process'
import { parseDatabaseUrl, withDatabase } from '../core/target.ts'
import type { Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'
import { migrate } from '../migrate/migrator.ts'
import { startThrowawayServer, superuser } from './server.ts'
import { createSupabaseDatabase, createSupabaseRoles } from './supabase.ts'

/** A throw-away server, of a fixed major unless `native` names another's programs, with Supabase's roles, and no database of ours; `work` gets its superuser. */
export async function withScratchServer<T>(
  work: (admin: Target) => Promise<T>,
  options: { native?: string } = {},
): Promise<T> {
  const server = await startThrowawayServer(options)
  let isInterrupted = false
  const stop = (): void => {
    isInterrupted = true
    // Without its server the work fails, and takes its temporary files away; what does not has two seconds.
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

/**
 * A fully migrated database on a throw-away server, whatever the developer's own database looks like: what generated
 * files are made from.
 */
export async function withScratchDatabase<T>(work: (target: Target) => Promise<T>): Promise<T> {
  return withScratchServer(async (admin) => {
    await createSupabaseDatabase(admin, 'scratch')
    const target = ownerOf(withDatabase(admin, 'scratch'))
    await migrate(target)
    return work(target)
  })
}

/** The login of the non-superuser who migrates, which has the superuser's password there. */
export function ownerOf(admin: Target): Target {
  const url = new URL(admin.dbmateUrl)
  url.username = 'postgres'
  return parseDatabaseUrl(url.href)
}
