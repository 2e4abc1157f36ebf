/**
 * A worker: takes generations from the queue, one at a time, and sees them to their end. Start as many as you like,
 * kill them whenever you like. DATABASE_URL is a login of `leo_worker`.
 */
import process from 'node:process'
import { checkSchema, createPool, createServiceClient, queue } from '../../db/index.ts'
import { generate } from './generate.ts'
import { repeat, setting, stopping } from './service.ts'

const worker = setting('WORKER_NAME', `worker-${process.pid}`)
const leaseMs = Number(setting('LEASE_MS', '60000'))
/** A worker that is killed counts as a failure; only what fails this often by itself is given up. */
const patience = { maxFailures: 20, backoffMs: Number(setting('BACKOFF_MS', '30000')) }

const pool = createPool({ connectionString: setting('DATABASE_URL'), max: 3, connectionTimeoutMillis: 5_000 })
const db = createServiceClient(pool)
await checkSchema(db)

async function takeOne(): Promise<boolean> {
  const generation = await queue.claimOne(db, { worker, leaseMs, userLimit: 2 })
  if (generation === undefined) return false
  const outcome = await generate(db, generation, leaseMs, stopping)
  console.log(`generation ${generation.id}, attempt ${generation.attempt}: ${outcome}`)
  return true
}

/** What the dead have left behind. Every worker looks; the database gives each generation to one. */
async function requeueExpired(): Promise<boolean> {
  return (await queue.requeueExpired(db, patience)).length > 0
}

await Promise.all([repeat(takeOne, 200), repeat(requeueExpired, leaseMs / 2)])
await db.destroy()
