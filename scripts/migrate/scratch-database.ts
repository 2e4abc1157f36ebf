import { withDatabase, type Target } from '../core/target.ts'
import { ownerOf, withScratchServer } from '../postgres/scratch.ts'
import { createSupabaseDatabase } from '../postgres/supabase.ts'
import { migrate } from './migrator.ts'

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
