import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/**
 * Drives the backfill that the database itself knows how to do, one batch a transaction
 * (db/migrations/…_create_backfill.sql): sizes the batches by the time they take, gives way to writers and replicas, and
 * can be stopped between any two batches, or killed in one: the next run goes on from the last that was committed.
 */

export interface BackfillOptions {
  /** Generations without a sign of life for so long, as an interval (`2 days`), are paused or failed; otherwise left. */
  readonly staleAfter?: string
  /** The last time: rows that somebody may still have been working on are no longer passed over. */
  readonly isLast?: boolean
  readonly signal?: AbortSignal
  readonly report?: (progress: Progress) => void
}

export interface Progress {
  readonly phase: Phase
  /** Rows, or users, gone through in this run, out of about so many. */
  readonly done: number
  readonly total: number
  readonly batch: number
  /** Why it pauses, while it does. */
  readonly pause?: string
}

export type Phase = 'users' | 'requests' | 'snapshots'

/** What a batch aims at. Its rows stay locked until it is committed: a writer who wants one of them waits so long. */
const batchMilliseconds = 50
/** To look after every batch whether somebody waits would take a tenth of the time. */
const lookMilliseconds = 250
/** A user may have many requests: even a few of them can take long. */
const smallest = 5
const largest = 20_000

/** @returns whether the end was reached; false when `signal` stopped it. */
export async function backfill(client: pg.Client, options: BackfillOptions = {}): Promise<boolean> {
  await client.query(`
    -- Shorter than deadlock_timeout: of a batch and a writer who wait for each other, the batch gives up.
    set lock_timeout = '100ms';
    -- A batch is committed together with how far it came, so a crash of the server takes both or neither, and nobody
    -- waits for the disk while rows are locked.
    set synchronous_commit = off;
    set idle_in_transaction_session_timeout = '1min'`)
  await client.query('select private.backfill_contested()')
  const { isLast = false, staleAfter = null } = options
  const isDone =
    (await goThrough(client, 'users', options, (size) => ['select private.backfill_users($1) as count', [size]])) &&
    (await goThrough(client, 'requests', options, (size) => [
      'select private.backfill_requests($1, $2, $3) as count',
      [size, isLast, staleAfter],
    ])) &&
    (await goThrough(client, 'snapshots', options, (size) => ['select private.backfill_snapshots($1) as count', [size]]))
  await client.query('reset synchronous_commit')
  return isDone
}

async function goThrough(
  client: pg.Client,
  phase: Phase,
  { report, signal }: BackfillOptions,
  statement: (size: number) => [text: string, values: unknown[]],
): Promise<boolean> {
  const total = await estimate(client, phase)
  let size = 100
  let lastLook = -Infinity
  let done = 0
  // A sweep that passed over busy users is repeated, but not for ever: the contract step takes what is left.
  for (let sweeps = 0; sweeps < 5; ) {
    if (signal?.aborted) return false
    if (performance.now() - lastLook > lookMilliseconds) {
      await giveWay(client, (pause) => report?.({ phase, done, total, batch: size, pause }), signal)
      lastLook = performance.now()
    }
    const started = performance.now()
    const count = await batch(client, ...statement(size))
    if (count === 0) {
      if (await isFinished(client, phase)) break
      sweeps += 1
      await sleep(200)
      continue
    }
    done += count
    report?.({ phase, done, total: Math.max(total, done), batch: size })
    const factor = batchMilliseconds / Math.max(1, performance.now() - started)
    size = Math.round(Math.min(largest, Math.max(smallest, size * Math.min(2, Math.max(0.5, factor)))))
  }
  return true
}

/** Tries again what only the moment was against: a lock that was not to be had, a deadlock. */
async function batch(client: pg.Client, text: string, values: unknown[]): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { rows } = await client.query<{ count: number }>(text, values)
      return rows[0]?.count ?? 0
    } catch (error) {
      const { code = '' } = error as pg.DatabaseError
      if (!['55P03', '40P01', '40001'].includes(code) || attempt === 10) throw error
      await sleep(100 * 2 ** attempt)
    }
  }
}

/** Waits while somebody waits for a lock on our tables, or a replica is more than ten seconds behind. */
async function giveWay(client: pg.Client, say: (why: string) => void, signal?: AbortSignal): Promise<void> {
  while (!signal?.aborted) {
    const { rows } = await client.query<{ writers: boolean; replicas: boolean }>(`
      select
        exists (
          select from pg_locks
          where not granted and relation in ('public.generation_requests'::regclass, 'public.iteration_snapshots'::regclass)
        ) as writers,
        exists (select from pg_stat_replication where replay_lag > interval '10 seconds') as replicas`)
    const found = rows[0]
    if (!found?.writers && !found?.replicas) return
    say(found.writers ? 'somebody waits for a lock' : 'a replica is behind')
    await sleep(50)
  }
}

async function isFinished(client: pg.Client, phase: Phase): Promise<boolean> {
  const { rows } = await client.query<{ is_finished: boolean }>(
    'select is_finished from private.upgrade_progress where phase = $1',
    [phase],
  )
  return rows[0]?.is_finished === true
}

/** From the planner's statistics: counting three million rows would take longer than a batch of them. */
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
