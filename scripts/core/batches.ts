import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/** What long jobs share that work in batches, a transaction each, beside people who want the same rows. */

/** What a batch aims at. Its rows stay locked until it is committed: a writer who wants one of them waits so long. */
const batchMilliseconds = 50
/** To look after every batch whether somebody waits would take a tenth of the time. */
const lookMilliseconds = 250
const largest = 20_000

export async function prepareBatches(client: pg.Client): Promise<void> {
  await client.query(`
    -- Shorter than deadlock_timeout: of a batch and a writer who wait for each other, the batch gives up.
    set lock_timeout = '100ms';
    -- A crash of the server may take the last batches back, each as a whole, with whatever it notes of how far it came;
    -- so nobody waits for the disk while rows are locked.
    set synchronous_commit = off;
    set idle_in_transaction_session_timeout = '1min'`)
}

/** Sizes batches by the time they take. */
export class BatchSize {
  // Small: how long a row, or a user with all of theirs, takes is not known yet.
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

/** Tries again what only the moment was against: a lock that was not to be had, a deadlock. */
export async function patiently<R extends pg.QueryResultRow>(
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

/** To be called between batches: waits while somebody waits for a lock on these tables, or a replica is far behind. */
export function politeness(
  client: pg.Client,
  tables: readonly string[],
  say: (why: string) => void,
  signal?: AbortSignal,
): () => Promise<void> {
  let lastLook = -Infinity
  return async () => {
    if (performance.now() - lastLook <= lookMilliseconds) return
    await giveWay(client, tables, say, signal)
    lastLook = performance.now()
  }
}

async function giveWay(
  client: pg.Client,
  tables: readonly string[],
  say: (why: string) => void,
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
    say(found.writers ? 'somebody waits for a lock' : 'a replica is behind')
    await sleep(50)
  }
}
