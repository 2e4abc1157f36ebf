/** Runs one generation, from the last saved iteration to its end. */
import { LeoError, costs, inTransaction, queue, schema_snapshots, snapshots } from '../../db/index.ts'
import type { ServiceDatabase } from '../../db/index.ts'
import { ImpossibleError, build, push } from './remote.ts'

/** @returns the outcome: `completed`, `failed`, `queued` (it is tried again), `released`, or `lease_lost`. */
export async function generate(
  db: ServiceDatabase,
  generation: queue.ClaimedGeneration,
  leaseMs: number,
  stopping: AbortSignal,
): Promise<string> {
  const lost = new AbortController()
  const heartbeats = setInterval(() => {
    queue.heartbeat(db, generation, { leaseMs }).then(
      ({ outcome }) => outcome === 'lease_lost' && lost.abort(),
      // The next heartbeat may succeed. If none does, the lease expires and the next write returns `lease_lost`.
      (error: Error) => console.error(error.message),
    )
  }, leaseMs / 3)
  try {
    return await iterate(db, generation, AbortSignal.any([lost.signal, stopping]))
  } catch (error) {
    if (lost.signal.aborted) return 'lease_lost'
    if (stopping.aborted) return (await queue.release(db, generation)).outcome
    // A database error is not an error of the generation: its lease expires, and it is tried again.
    if (error instanceof LeoError) throw error
    const error_message = error instanceof Error ? error.message : 'unknown error'
    const maxFailures = error instanceof ImpossibleError ? 1 : 3
    return (await queue.fail(db, generation, { error_message, maxFailures })).outcome
  } finally {
    clearInterval(heartbeats)
  }
}

async function iterate(db: ServiceDatabase, generation: queue.ClaimedGeneration, signal: AbortSignal): Promise<string> {
  const { id, user_id, app_id, prompt, max_iterations } = generation
  const ref = { user_id, generation_request_id: id }
  const saved = await snapshots.findResumePoint(db, ref)
  let files = saved?.files ?? {}
  const last = saved?.iteration_number ?? 0
  for (let iteration_number = last + 1; iteration_number <= max_iterations; iteration_number++) {
    const { tables, ddl, ...built } = await build(prompt, iteration_number, files, signal)
    files = built.files
    // In one transaction, so that the snapshot and the costs of an iteration are both saved, or neither is.
    const { outcome } = await inTransaction(db, async (trx) => {
      const recorded = await queue.recordIteration(trx, generation, { iteration_number, files, prompt_used: prompt })
      if (recorded.outcome === 'lease_lost') return recorded
      const { input_tokens, output_tokens, cost_micros } = built
      await costs.insert(trx, {
        ...{ ...ref, iteration_number, kind: 'tokens', model: 'pretend-1', input_tokens, output_tokens, cost_micros },
        idempotency_key: `generation-${id}:iteration-${iteration_number}:tokens`,
      })
      await schema_snapshots.insert(trx, { ...ref, iteration_number, tables, ddl })
      return recorded
    })
    if (outcome === 'lease_lost') return outcome
  }
  const pushed = await push(app_id, files)
  return (await queue.complete(db, generation, pushed)).outcome
}
