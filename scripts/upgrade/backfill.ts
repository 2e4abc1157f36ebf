import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { BatchProgress } from '../core/batch-progress.ts'
import { BatchSize, retryOnLockConflict, throttleForWaiters, prepareBatches } from '../core/batches.ts'

/**
 * Calls the backfill functions of the database (db/migrations/…_create_backfill.sql), one batch per transaction. Adjusts the
 * batch size to the duration of the batches and pauses for waiting writers and lagging replicas. A run can be stopped
 * between batches or killed during one: the next run continues after the last committed batch.
 */

export interface BackfillOptions {
  /** Generations without an update for this interval (`2 days`) are paused or failed; without it they stay. */
  readonly staleAfter?: string
  /** The last run, after the writers of the previous schema have stopped: it no longer skips rows that they may update. */
  readonly isLast?: boolean
  readonly signal?: AbortSignal
  readonly report?: (progress: Progress) => void
}

export interface Progress extends BatchProgress {
  readonly phase: Phase
}

export type Phase = 'users' | 'requests' | 'snapshots'

/** The first batches are small, because one user may have many requests. */
const smallestBatch = 5
const tables = ['public.generation_requests', 'public.iteration_snapshots']

/** @returns false when `signal` stopped it before the end. */
export async function backfill(client: pg.Client, options: BackfillOptions = {}): Promise<boolean> {
  await prepareBatches(client)
  await client.query('select private.backfill_contested()')
  const { isLast = false, staleAfter = null } = options
  const isDone =
    (await runPhase(client, 'users', options, (size) => ['select private.backfill_users($1) as count', [size]])) &&
    (await runPhase(client, 'requests', options, (size) => [
      'select private.backfill_requests($1, $2, $3) as count',
      [size, isLast, staleAfter],
    ])) &&
    (await runPhase(client, 'snapshots', options, (size) => ['select private.backfill_snapshots($1) as count', [size]]))
  await client.query('reset synchronous_commit')
  return isDone
}

async function runPhase(
  client: pg.Client,
  phase: Phase,
  { report, signal }: BackfillOptions,
  statement: (size: number) => [text: string, values: unknown[]],
): Promise<boolean> {
  const total = await estimate(client, phase)
  const size = new BatchSize(smallestBatch)
  let done = 0
  const throttle = throttleForWaiters(client, tables, (pause) => report?.({ phase, done, total, batch: size.rows, pause }), signal)
  // A sweep that skipped locked rows is repeated a few times; the contract step processes the remaining rows.
  for (let sweeps = 0; sweeps < 5; ) {
    if (signal?.aborted) return false
    await throttle()
    const started = performance.now()
    const { rows } = await retryOnLockConflict<{ count: number }>(client, ...statement(size.rows))
    const count = rows[0]?.count ?? 0
    if (count === 0) {
      if (await isFinished(client, phase)) break
      sweeps += 1
      await sleep(200)
      continue
    }
    done += count
    report?.({ phase, done, total: Math.max(total, done), batch: size.rows })
    size.took(performance.now() - started)
  }
  return true
}

async function isFinished(client: pg.Client, phase: Phase): Promise<boolean> {
  const { rows } = await client.query<{ is_finished: boolean }>(
    'select is_finished from private.upgrade_progress where phase = $1',
    [phase],
  )
  return rows[0]?.is_finished === true
}

/** Estimated from the statistics: counting three million rows takes longer than a batch. */
async function estimate(client: pg.Client, phase: Phase): Promise<number> {
  const query = {
    users: `select greatest(0, case when n_distinct < 0 then -n_distinct * reltuples else n_distinct end)::bigint as n
            from pg_class left join pg_stats on tablename = relname and attname = 'user_id' and schemaname = 'public'
            where pg_class.oid = 'public.generation_requests'::regclass`,
    requests: `select greatest(0, reltuples)::bigint as n from pg_class where oid = 'public.generation_requests'::regclass`,
    snapshots: `select greatest(0, reltuples)::bigint as n from pg_class where oid = 'public.iteration_snapshots'::regclass`,
  }[phase]
  const { rows } = await client.query<{ n: string | null }>(query)
  return Number(rows[0]?.n ?? 0)
}
