/** One generation, from where the last attempt has got to, to its end. */
import { LeoError, costs, inTransaction, queue, schema_snapshots, snapshots } from '../../db/index.ts'
import type { ServiceDatabase } from '../../db/index.ts'
import { ImpossibleError, build, push } from './remote.ts'

/** @returns how it ended: `completed`, `failed`, `queued` (to be tried again), `released`, or `lease_lost`. */
export async function generate(
  db: ServiceDatabase,
  generation: queue.Claimed,
  leaseMs: number,
  stopping: AbortSignal,
): Promise<string> {
  const lost = new AbortController()
  const heart = setInterval(() => {
    queue.heartbeat(db, generation, { leaseMs }).then(
      ({ outcome }) => outcome === 'lease_lost' && lost.abort(),
      // The next one may get through; if none does, the lease expires, and the next write says so.
      (error: Error) => console.error(error.message),
    )
  }, leaseMs / 3)
  try {
    return await iterate(db, generation, AbortSignal.any([lost.signal, stopping]))
  } catch (error) {
    if (lost.signal.aborted) return 'lease_lost'
    if (stopping.aborted) return (await queue.release(db, generation)).outcome
    // Not the generation's fault: its lease expires, and it is tried again.
    if (error instanceof LeoError) throw error
    const error_message = error instanceof Error ? error.message : 'something went wrong'
    const maxFailures = error instanceof ImpossibleError ? 1 : 3
    return (await queue.fail(db, generation, { error_message, maxFailures })).outcome
  } finally {
    clearInterval(heart)
  }
}

async function iterate(db: ServiceDatabase, generation: queue.Claimed, signal: AbortSignal): Promise<string> {
  const { id, user_id, app_id, prompt, max_iterations } = generation
  const of = { user_id, generation_request_id: id }
  const point = await snapshots.findResumePoint(db, of)
  let files = point?.files ?? {}
  const done = point?.iteration_number ?? 0
  for (let iteration_number = done + 1; iteration_number <= max_iterations; iteration_number++) {
    const { tables, ddl, ...built } = await build(prompt, iteration_number, files, signal)
    files = built.files
    // Together, so that what an iteration cost is in the ledger exactly when what it made is kept.
    const { outcome } = await inTransaction(db, async (trx) => {
      const kept = await queue.recordIteration(trx, generation, { iteration_number, files, prompt_used: prompt })
      if (kept.outcome === 'lease_lost') return kept
      const { input_tokens, output_tokens, cost_micros } = built
      await costs.insert(trx, {
        ...{ ...of, iteration_number, kind: 'tokens', model: 'pretend-1', input_tokens, output_tokens, cost_micros },
        idempotency_key: `generation-${id}:iteration-${iteration_number}:tokens`,
      })
      await schema_snapshots.insert(trx, { ...of, iteration_number, tables, ddl })
      return kept
    })
    if (outcome === 'lease_lost') return outcome
  }
  const pushed = await push(app_id, files)
  return (await queue.complete(db, generation, pushed)).outcome
}
