import { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import { asService, createPool, createServiceClient, queue } from '../../../db/index.ts'
import type { ServiceDatabase } from '../../../db/index.ts'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { fromRoot } from '../../core/paths.ts'
import { step } from '../../core/progress.ts'
import { ratio, rounds, show, spread } from '../compare.ts'
import type { Result, Suite } from '../compare.ts'
import { createMigrated, loginAs } from '../database.ts'
import type { BenchServer } from '../../postgres/bench-server.ts'

const connections = 8
const jobs = { 1: 2400, 10: 8000 } as const
/** The first jobs are not counted: in that time connections are opened, statements planned and code compiled. */
const warmUp = 600
type Batch = keyof typeof jobs

/** Measures how many jobs per second are claimed and completed, from a full queue until it is empty. */
export async function benchmarkQueue(server: BenchServer): Promise<Suite> {
  const ours = await step('preparing the queue', () => createMigrated(server, 'bench_queue'))
  const bare = await server.copy('bench_queue', 'bench_bare')
  await withClient(bare, (client) => client.query('alter table generation_requests disable trigger user; alter table generation_requests enable trigger _100_change_status'))
  const contestants = { graphile: await prepareGraphile(server), boss: await prepareBoss(server) }

  const worker = await loginAs(server, ours, 'leo_worker')
  const bareWorker = await loginAs(server, bare, 'leo_worker')
  const results: Result[] = []
  for (const batch of [1, 10] as const) {
    const count = jobs[batch]
    const measured = await step(`claiming and completing by ${batch}`, () =>
      rounds(3, {
        completeAndClaim: () => drain(ours, worker, count, batch, inOne),
        separate: () => drain(ours, worker, count, batch, inTwo),
        withIdentity: () => drain(ours, worker, count, batch, withIdentity),
        throughPg: () => drain(ours, worker, count, batch, throughPg),
        withoutTimeline: () => drain(bare, bareWorker, count, batch, inOne),
        graphile: () => contestants.graphile(jobs[1]),
        boss: () => contestants.boss(count, batch),
      }),
    )
    const line = (what: string, name: keyof typeof measured, against: string, theirs: keyof typeof measured, aim?: number): Result => ({
      what: `${what}, batch ${batch}`,
      against,
      figures: `${show(spread(measured[name]), 0)} against ${show(spread(measured[theirs]), 0)} jobs/s`,
      ratio: ratio(measured[name], measured[theirs]),
      ...(aim === undefined ? {} : { aim: { is: 'at least' as const, value: aim } }),
    })
    results.push(
      line('completeAndClaim', 'completeAndClaim', 'graphile-worker 0.16', 'graphile', batch === 1 ? 1 : 4),
      line('completeAndClaim', 'completeAndClaim', 'pg-boss 10', 'boss', 2),
      line('complete, then claim', 'separate', 'completeAndClaim', 'completeAndClaim'),
      line('without events and logs', 'withoutTimeline', 'completeAndClaim', 'completeAndClaim'),
      line('in asService', 'withIdentity', 'completeAndClaim', 'completeAndClaim'),
      line('the same function through pg', 'throughPg', 'completeAndClaim', 'completeAndClaim'),
    )
  }
  for (const name of ['bench_queue', 'bench_bare', 'bench_graphile', 'bench_boss']) await server.drop(name)
  return {
    name: 'queue',
    title: 'Claim and complete',
    explanation:
      'Jobs per second over 8 connections of one process, with durable commits, events and logs. graphile-worker processes one ' +
      'job at a time (concurrency 8); pg-boss fetches and completes in 8 loops. The first ' +
      `${warmUp} jobs are not counted, because statements are planned and code is compiled then. ` +
      'The other rows measure the cost of the events and logs (all triggers disabled except that of the status machine), ' +
      'of setting an identity, and of Kysely and this package.',
    results,
  }
}

interface Session {
  readonly db: ServiceDatabase
  readonly pool: pg.Pool
}
/** Calls `tick` with the number of completed jobs. */
type Loop = (session: Session, worker: string, batch: Batch, tick: (done: number) => void) => Promise<void>

const inOne: Loop = async ({ db }, worker, batch, tick) => {
  let held = await queue.claim(db, { worker, limit: batch })
  while (held.length > 0) {
    const step = await queue.completeAndClaim(db, held, { worker, limit: batch })
    tick(held.length)
    held = step.claimed
  }
}

const inTwo: Loop = async ({ db }, worker, batch, tick) => {
  for (;;) {
    const held = await queue.claim(db, { worker, limit: batch })
    if (held.length === 0) return
    for (const lease of held) await queue.complete(db, lease)
    tick(held.length)
  }
}

const withIdentity: Loop = async ({ db }, worker, batch, tick) => {
  let held = await asService(db, (trx) => queue.claim(trx, { worker, limit: batch }))
  while (held.length > 0) {
    const leases = held
    held = (await asService(db, (trx) => queue.completeAndClaim(trx, leases, { worker, limit: batch }))).claimed
    tick(leases.length)
  }
}

/** Calls the same function without Kysely and this package. */
const throughPg: Loop = async ({ pool, db }, worker, batch, tick) => {
  let held: { id: number; attempt: number }[] = await queue.claim(db, { worker, limit: batch })
  while (held.length > 0) {
    const { rows } = await pool.query<{ id: number; attempt: number; completed_id: number | null }>(
      `select completed_id, (claimed).*
       from private.complete_and_claim_generations($1, $2, $3, '{}', '{}', '{}', $4, interval '1 minute', null)`,
      [worker, held.map(({ id }) => id), held.map(({ attempt }) => attempt), batch],
    )
    tick(held.length)
    held = rows.filter(({ completed_id }) => completed_id === null)
  }
}

/** Counts jobs per second, without the first `warmUp` jobs. */
function clock(count: number) {
  let [done, counted, started, ended] = [0, 0, 0, 0]
  return {
    tick: (some: number): void => {
      ended = performance.now()
      if (done >= warmUp) counted += some
      else if (done + some >= warmUp) started = ended
      done += some
    },
    isDone: (): boolean => done >= count + warmUp,
    rate: (): number => {
      if (done !== count + warmUp) throw new Error(`${done} of ${count + warmUp} were completed`)
      return (counted / (ended - started)) * 1000
    },
  }
}

/** Fills the queue and empties it by 8 loops. Returns the jobs per second. */
async function drain(database: Target, login: pg.PoolConfig, count: number, batch: Batch, loop: Loop): Promise<number> {
  await withClient(database, async (client) => {
    await client.query('truncate generation_requests cascade')
    await client.query(
      `insert into generation_requests (user_id, app_id, app_name, prompt, mode)
       select user_id, id, app_name, 'prompt', 'autonomous'
       from apps, generate_series(1, $1::int / (select count(*)::int from apps))`,
      [count + warmUp],
    )
    await client.query('vacuum analyze generation_requests')
  })
  const pool = createPool({ ...login, max: connections })
  const db = createServiceClient(pool)
  try {
    await Promise.all(Array.from({ length: connections }, () => pool.query('select pg_sleep(0.01)')))
    const { tick, rate } = clock(count)
    await Promise.all(Array.from({ length: connections }, (_, index) => loop({ db, pool }, `w${index}`, batch, tick)))
    return rate()
  } finally {
    await pool.end()
  }
}

const peers = createRequire(fromRoot('scripts', 'bench', 'peers', 'package.json'))

/** The part of graphile-worker that is used here. */
interface Graphile {
  run(options: object): Promise<{ stop(): Promise<void> }>
  Logger: new (factory: () => () => void) => unknown
}

async function prepareGraphile(server: BenchServer): Promise<(count: number) => Promise<number>> {
  const target = await server.create('bench_graphile')
  const { run, Logger } = peers('graphile-worker') as Graphile
  const logger = new Logger(() => () => undefined)
  const options = { connectionString: target.dbmateUrl, maxPoolSize: connections + 2, logger, noHandleSignals: true, concurrency: connections }
  await (await run({ ...options, taskList: { noop: () => undefined } })).stop()
  return async (count) => {
    await withClient(target, (client) =>
      client.query(`select graphile_worker.add_job('noop', '{}'::json) from generate_series(1, $1::int)`, [count + warmUp]),
    )
    const { tick, isDone, rate } = clock(count)
    let finish = (): void => undefined
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const noop = (): void => {
      tick(1)
      if (isDone()) finish()
    }
    const runner = await run({ ...options, taskList: { noop } })
    await finished
    await runner.stop()
    return rate()
  }
}

/** The part of pg-boss that is used here. */
interface Boss {
  on(event: 'error', listener: () => void): void
  start(): Promise<unknown>
  stop(options: object): Promise<void>
  createQueue(name: string): Promise<void>
  fetch(name: string, options: { batchSize: number }): Promise<{ id: string }[]>
  complete(name: string, ids: string[]): Promise<unknown>
  insert(jobs: { name: string }[]): Promise<unknown>
}

async function prepareBoss(server: BenchServer): Promise<(count: number, batch: Batch) => Promise<number>> {
  const target = await server.create('bench_boss')
  const PgBoss = peers('pg-boss') as new (options: object) => Boss
  return async (count, batch) => {
    const boss = new PgBoss({ connectionString: target.dbmateUrl, max: connections, supervise: false, schedule: false })
    boss.on('error', () => undefined)
    await boss.start()
    await boss.createQueue('bench')
    await boss.insert(Array.from({ length: count + warmUp }, () => ({ name: 'bench' })))
    const { tick, rate } = clock(count)
    await Promise.all(
      Array.from({ length: connections }, async () => {
        for (;;) {
          const jobs = await boss.fetch('bench', { batchSize: batch })
          if (jobs.length === 0) return
          await boss.complete('bench', jobs.map(({ id }) => id))
          tick(jobs.length)
        }
      }),
    )
    await boss.stop({ graceful: false, wait: true })
    return rate()
  }
}
