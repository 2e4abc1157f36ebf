import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/** Helpers for long jobs that run in batches, one transaction each, while other sessions use the same rows. */

/** The intended duration of a batch. Its rows stay locked until it commits: a writer of one of them waits this long. */
const batchMilliseconds = 50
/** Checking for waiting sessions after every batch would take a tenth of the run time. */
const checkMilliseconds = 250
const largest = 20_000

export async function prepareBatches(client: pg.Client): Promise<void> {
  await client.query(`
    -- Shorter than deadlock_timeout: when a batch and a writer wait for each other, the batch fails and is repeated.
    set lock_timeout = '100ms';
    -- Commits do not wait for the disk while rows are locked. A crash of the server may undo the last batches, each as a
    -- whole and with the progress that it recorded.
    set synchronous_commit = off;
    set idle_in_transaction_session_timeout = '1min'`)
}

/** Sizes batches by the time they take. */
export class BatchSize {
  // Starts small: the time per row, or per user with all their rows, is not known yet.
  #size = 20
  readonly #smallest: number

  constructor(smallest: number) {
    this.#smallest = smallest
  }

  get rows(): number {
    return this.#size
  }

  took(milliseconds: number): void {
    const factor = Math.min(2, Math.max(0.5, batchMilliseconds / Math.max(1, milliseconds)))
    this.#size = Math.round(Math.min(largest, Math.max(this.#smallest, this.#size * factor)))
  }
}

/** Repeats a statement that failed because of other sessions: lock timeout, deadlock, serialization failure. */
export async function retryOnLockConflict<R extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<R>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.query<R>(text, [...values])
    } catch (error) {
      const { code = '' } = error as pg.DatabaseError
      if (!['55P03', '40P01', '40001'].includes(code) || attempt === 10) throw error
      await sleep(100 * 2 ** attempt)
    }
  }
}

/** Returns a function to call between batches: it waits while a session waits for a lock on these tables or a replica lags. */
export function throttleForWaiters(
  client: pg.Client,
  tables: readonly string[],
  say: (reason: string) => void,
  signal?: AbortSignal,
): () => Promise<void> {
  let lastCheck = -Infinity
  return async () => {
    if (performance.now() - lastCheck <= checkMilliseconds) return
    await waitForSessionsAndReplicas(client, tables, say, signal)
    lastCheck = performance.now()
  }
}

async function waitForSessionsAndReplicas(
  client: pg.Client,
  tables: readonly string[],
  say: (reason: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted) {
    const { rows } = await client.query<{ writers: boolean; replicas: boolean }>(
      `select
        exists (select from pg_locks where not granted and relation = any ($1::regclass[])) as writers,
        exists (select from pg_stat_replication where replay_lag > interval '10 seconds') as replicas`,
      [tables],
    )
    const found = rows[0]
    if (!found?.writers && !found?.replicas) return
    say(found.writers ? 'a session waits for a lock' : 'a replica lags')
    await sleep(50)
  }
}
