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
  try {
    const admin = parseDatabaseUrl(server.url('postgres', superuser))
    await createSupabaseRoles(admin)
    await createSupabaseDatabase(admin, 'scratch')
    const target = parseDatabaseUrl(server.url('scratch'))
    await migrate(target)
    return await work(target)
  } finally {
    await server.stop()
  }
}
