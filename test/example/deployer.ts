/**
 * The deployer: allocates a Supabase project to apps with a completed generation, deploys them, and removes external
 * resources of deleted apps. DATABASE_URL is a login of `leo_worker`.
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
 * Run one deployer; a second one repeats the work of the first, which is harmless. This query has no index; add one if
 * there are millions of generations.
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
    if (!(await hasProject(app_id))) continue
    const deployment_url = await deploy(app_id)
    const updated = await db
      .updateTable('generation_requests')
      .set({ deployment_url })
      .where('id', '=', id)
      .where('deployment_url', 'is', null)
      .returning('id')
      .executeTakeFirst()
    // The app was deleted during the deployment, before its clean-up could include the Fly app.
    if (updated === undefined) await remove('fly_app', deployment_url)
  }
  return due.length > 0
}

async function hasProject(app_id: AppId): Promise<boolean> {
  try {
    const allocation = await supabase_projects.allocate(db, { app_id })
    if (allocation.outcome === 'exhausted') console.error('no Supabase project has capacity left: add one')
    return allocation.outcome === 'allocated'
  } catch (error) {
    if (error instanceof RuleError && error.code === 'app_not_found') return false
    throw error
  }
}

/** A clean-up may run more than once, so `remove` accepts a resource that no longer exists. */
async function cleanUp(): Promise<boolean> {
  const claimed = await cleanups.claim(db, { worker, limit: 10, leaseMs })
  for (const cleanup of claimed) {
    try {
      await remove(cleanup.kind, cleanup.target)
    } catch (error) {
      await cleanups.fail(db, cleanup, error instanceof Error ? error.message : 'unknown error')
      continue
    }
    await cleanups.finish(db, cleanup)
  }
  return claimed.length > 0
}

await Promise.all([repeat(deployCompleted, 300), repeat(cleanUp, 300)])
await db.destroy()
