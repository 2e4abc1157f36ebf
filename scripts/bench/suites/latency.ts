import { performance } from 'node:perf_hooks'
import { createPool, createServiceClient, queue } from '../../../db/index.ts'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { step } from '../../core/progress.ts'
import { quantile, ratio, show, spread } from '../compare.ts'
import type { Result, Suite } from '../compare.ts'
import { createMigrated, loginAs } from '../database.ts'
import type { BenchServer } from '../../postgres/bench-server.ts'

const users = 10_000
const queued = 200_000
const finished = [10_000, 1_000_000] as const
const connections = 8
const claims = 3000
const repetitions = 3

/** Measures claims in a long queue of many users, with and without a limit per user, in a table with many finished rows. */
export async function benchmarkLatency(server: BenchServer): Promise<Suite> {
  const measured: Record<number, { limited: number[][]; plain: number[][] }> = {}
  for (const history of finished) {
    const name = `bench_history_${history}`
    const target = await step(`preparing ${queued} queued and ${history} finished generations`, async () => {
      const created = await createMigrated(server, name, users)
      await fill(server, created, history)
      return created
    })
    const login = await loginAs(server, target, 'leo_worker')
    const pool = createPool({ ...login, max: connections })
    const db = createServiceClient(pool)
    measured[history] = await step('claiming', async () => {
      const limited: number[][] = []
      const plain: number[][] = []
      await claimInLoops(db, 200)
      for (let repetition = 0; repetition < repetitions; repetition += 1) {
        plain.push(await claimInLoops(db, claims))
        limited.push(await claimInLoops(db, claims, 2))
      }
      return { limited, plain }
    })
    await pool.end()
    await server.drop(name)
  }
  const [few, many] = finished
  const line = (what: string, kind: 'limited' | 'plain', q: number, aim?: Result['aim']): Result => {
    const values = measured[many]![kind].map((sample) => quantile(sample, q))
    return { what, against: '–', figures: `${show(spread(values))} ms`, ...(aim && { aim: { ...aim, measured: spread(values) } }) }
  }
  const growth = (kind: 'limited' | 'plain'): Result => {
    const [after, before] = [many, few].map((history) => measured[history]![kind].map((sample) => quantile(sample, 0.5)))
    return {
      what: `claim${kind === 'limited' ? ', at most 2 per user' : ''}, 1M finished`,
      against: '10k finished',
      figures: `median ${show(spread(after!))} against ${show(spread(before!))} ms`,
      ratio: ratio(after!, before!),
      aim: { is: 'at most', value: 1.2 },
    }
  }
  return {
    name: 'latency',
    title: 'Claims in a long queue',
    explanation:
      `${queued / 1000}k queued generations of ${users / 1000}k users and 1M finished generations. 8 connections claim and ` +
      `complete one generation at a time, with ${claims} claims in each of ${repetitions} repetitions. ` +
      'The times are those of the claim alone, measured by the caller.',
    results: [
      line('claim, at most 2 per user, p99', 'limited', 0.99, { is: 'at most', value: 10, unit: 'ms' }),
      line('claim, at most 2 per user, p50', 'limited', 0.5),
      line('claim without a limit, p99', 'plain', 0.99),
      line('claim without a limit, p50', 'plain', 0.5),
      growth('limited'),
      growth('plain'),
    ],
  }
}

/** The times of the claims in milliseconds, in ascending order. */
async function claimInLoops(db: Parameters<typeof queue.claim>[0], count: number, userLimit?: number): Promise<number[]> {
  const times: number[] = []
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      while (times.length < count) {
        const started = performance.now()
        const generation = await queue.claimOne(db, { worker: `w${index}`, ...(userLimit === undefined ? {} : { userLimit }) })
        times.push(performance.now() - started)
        if (generation === undefined) throw new Error('the queue is empty')
        await queue.complete(db, generation)
      }
    }),
  )
  return times.sort((a, b) => a - b)
}

/** Fills the table as after years of use. Triggers and foreign keys are disabled for speed; they would not change the rows. */
async function fill(server: BenchServer, target: Target, history: number): Promise<void> {
  await withClient({ ...target, pg: { ...target.pg, user: server.admin.pg.user } }, async (client) => {
    await client.query(`set session_replication_role = replica`)
    const insert = (status: string, count: number, completed: string, order: string) =>
      client.query(
        `insert into generation_requests (user_id, app_id, app_name, prompt, mode, status, attempt, completed_at, created_at, queue_at)
         select a.user_id, a.id, a.app_name, 'prompt ' || n, 'autonomous', '${status}', ${status === 'queued' ? 0 : 1}, ${completed},
           timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01' + ${order} * interval '1 second'
         from generate_series(0, $1::int - 1) as n
         join (select *, row_number() over (order by id) - 1 as place from apps) as a on a.place = n % ${users}`,
        [count],
      )
    await insert('completed', history, `timestamptz '2026-06-01'`, 'n')
    await insert('queued', queued, 'null', 'n')
    await client.query('vacuum analyze generation_requests')
  })
}
