/**
 * The deployer: gives what is completed a place and an address, and removes what deleted apps leave elsewhere.
 * DATABASE_URL is a login of `leo_worker`.
 */
import process from 'node:process'
import { RuleError, checkSchema, cleanups, createPool, createServiceClient, supabase_projects } from '../../db/index.ts'
import type { AppId } from '../../db/index.ts'
import { deploy, remove } from './remote.ts'
import { repeat, setting } from './service.ts'

const worker = setting('WORKER_NAME', `deployer-${process.pid}`)
const leaseMs = Number(setting('LEASE_MS', '60000'))

const pool = createPool({ connectionString: setting('DATABASE_URL'), max: 3, connectionTimeoutMillis: 5_000 })
const db = createServiceClient(pool)
await checkSchema(db)

/**
 * One deployer is enough; a second one would do the same work twice, without harm. No index serves this question: with
 * millions of generations, ask for one.
 */
async function deployCompleted(): Promise<boolean> {
  const due = await db
    .selectFrom('generation_requests')
    .select(['id', 'app_id'])
    .where('status', '=', 'completed')
    .where('deployment_url', 'is', null)
    .orderBy('id')
    .limit(10)
    .execute()
  for (const { id, app_id } of due) {
    if (!(await hasPlace(app_id))) continue
    const deployment_url = await deploy(app_id)
    const told = await db
      .updateTable('generation_requests')
      .set({ deployment_url })
      .where('id', '=', id)
      .where('deployment_url', 'is', null)
      .returning('id')
      .executeTakeFirst()
    // Deleted meanwhile, when nobody knew yet what there would be to clean up.
    if (told === undefined) await remove('fly_app', deployment_url)
  }
  return due.length > 0
}

async function hasPlace(app_id: AppId): Promise<boolean> {
  try {
    const place = await supabase_projects.allocate(db, { app_id })
    if (place.outcome === 'exhausted') console.error('no Supabase project has a place left: add one')
    return place.outcome === 'allocated'
  } catch (error) {
    if (error instanceof RuleError && error.code === 'app_not_found') return false
    throw error
  }
}

/** A clean-up is done at least once: `remove` takes what is gone already for done. */
async function cleanUp(): Promise<boolean> {
  const claimed = await cleanups.claim(db, { worker, limit: 10, leaseMs })
  for (const cleanup of claimed) {
    try {
      await remove(cleanup.kind, cleanup.target)
    } catch (error) {
      await cleanups.fail(db, cleanup, error instanceof Error ? error.message : 'something went wrong')
      continue
    }
    await cleanups.finish(db, cleanup)
  }
  return claimed.length > 0
}

await Promise.all([repeat(deployCompleted, 300), repeat(cleanUp, 300)])
await db.destroy()
