import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { coverage, runChaos, violations } from '../queries/fixtures/chaos.ts'
import { only } from '../fixtures/rows.ts'

t.setTimeout(900_000)

t.test('8 workers finish 20,000 generations under kills and disconnects', async (t) => {
  const options = { generations: 20_000, users: 200, workers: 8, seed: 1, oversleep: 0.005, timeoutMs: 600_000 }
  const run = await runChaos(t, await createMigratedDatabase(t), options)
  t.strictSame(violations(run), {})
  t.strictSame([run.unfinished, run.leases], [0, 0])
  const covered = coverage(run)
  for (const [situation, times] of Object.entries(covered)) t.ok(times >= 10, `${situation}: ${times} times`)
  t.comment(`${run.seconds} s`, covered)
})

t.test('the proof fails on a queue without the fence and with leases that end early', async (t) => {
  const breaks = async (owner: pg.Client, name: string, ...change: [from: string, to: string]) => {
    const { source } = only(await owner.query<{ source: string }>(`select pg_get_functiondef('private.${name}'::regproc) as source`))
    await owner.query(source.replaceAll(...change))
  }
  const run = await runChaos(t, await createMigratedDatabase(t), {
    ...{ generations: 30, users: 3, workers: 3, oversleep: 0.4, seed: 2, timeoutMs: 120_000 },
    sabotage: async (owner) => {
      for (const name of ['record_iteration', 'complete_generation']) await breaks(owner, name, ' and r.attempt = p_attempt', '')
      await breaks(owner, 'requeue_expired_generations', 'l.expires_at <= now()', `l.expires_at <= now() + interval '500 ms'`)
    },
  })
  t.hasOwnProps(violations(run), ['a write of another attempt is accepted', 'a lease ends before it expires'])
})
