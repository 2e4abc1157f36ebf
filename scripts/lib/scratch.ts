import process from 'node:process'
import { parseDatabaseUrl } from './database-url.ts'
import type { Target } from './database-url.ts'
import { migrate } from './migrator.ts'
import { startTestServer, superuser } from './server.ts'
import { createSupabaseDatabase, createSupabaseRoles } from './supabase.ts'

/**
 * A fully migrated database on a throw-away server of a fixed major, whatever the developer's own database looks like:
 * what generated files are made from.
 */
export async function withScratchDatabase<T>(work: (target: Target) => Promise<T>): Promise<T> {
  const server = await startTestServer()
  const stop = (): void => {
    void server.stop().finally(() => process.exit(130))
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const admin = parseDatabaseUrl(server.url('postgres', superuser))
    await createSupabaseRoles(admin)
    await createSupabaseDatabase(admin, 'scratch')
    const target = parseDatabaseUrl(server.url('scratch'))
    await migrate(target)
    return await work(target)
  } finally {
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
    await server.stop()
  }
}
