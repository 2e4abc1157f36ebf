/**
 * A worker: claims generations from the queue, one at a time, and runs them. Any number of workers can run, and each can
 * be killed at any time. DATABASE_URL is a login of `leo_worker`.
 */
import process from 'node:process'
import { checkSchema, createPool, createServiceClient, queue } from '../../db/index.ts'
import { generate } from './generate.ts'
import { repeat, setting, stopping } from './service.ts'

const worker = setting('WORKER_NAME', `worker-${process.pid}`)
const leaseMs = Number(setting('LEASE_MS', '60000'))
/** A killed worker counts as a failure, so that the limit is higher than for errors of the generation. */
const retries = { maxFailures: 20, backoffMs: Number(setting('BACKOFF_MS', '30000')) }

const pool = createPool({ connectionString: setting('DATABASE_URL'), max: 3, connectionTimeoutMillis: 5_000 })
const db = createServiceClient(pool)
await checkSchema(db)

async function runNext(): Promise<boolean> {
  const generation = await queue.claimOne(db, { worker, leaseMs, userLimit: 2 })
  if (generation === undefined) return false
  const outcome = await generate(db, generation, leaseMs, stopping)
  console.log(`generation ${generation.id}, attempt ${generation.attempt}: ${outcome}`)
  return true
}

/** Requeues generations of crashed workers. All workers call it; each expired lease is ended by one of them. */
async function requeueExpired(): Promise<boolean> {
  return (await queue.requeueExpired(db, retries)).length > 0
}

await Promise.all([repeat(runNext, 200), repeat(requeueExpired, leaseMs / 2)])
await db.destroy()
