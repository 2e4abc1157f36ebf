import t from 'tap'
import type pg from 'pg'
import { createTestDatabase } from '../fixtures/database.ts'
import { met, setOnFire, violations } from '../queries/fixtures/chaos.ts'
import { only } from '../fixtures/rows.ts'

t.setTimeout(900_000)

t.test('8 workers finish 20,000 generations although they are killed, disconnected and delayed', async (t) => {
  const options = { generations: 20_000, users: 200, workers: 8, seed: 1, oversleep: 0.005, timeoutMs: 600_000 }
  const fire = await setOnFire(t, await createTestDatabase(t), options)
  t.strictSame(violations(fire), {})
  t.strictSame([fire.unfinished, fire.leases], [0, 0])
  const seen = met(fire)
  for (const [event, times] of Object.entries(seen)) t.ok(times >= 10, `${event}: ${times} times`)
  t.comment(`${fire.seconds} s`, seen)
})

t.test('a queue that does not check the attempt, and one that takes away leases early, are detected', async (t) => {
  const patch = async (owner: pg.Client, name: string, ...change: [from: string, to: string]) => {
    const { source } = only(await owner.query<{ source: string }>(`select pg_get_functiondef('private.${name}'::regproc) as source`))
    await owner.query(source.replaceAll(...change))
  }
  const fire = await setOnFire(t, await createTestDatabase(t), {
    ...{ generations: 30, users: 3, workers: 3, oversleep: 0.4, seed: 2, timeoutMs: 120_000 },
    sabotage: async (owner) => {
      for (const name of ['record_iteration', 'complete_generation']) await patch(owner, name, ' and r.attempt = p_attempt', '')
      await patch(owner, 'requeue_expired_generations', 'l.expires_at <= now()', `l.expires_at <= now() + interval '500 ms'`)
    },
  })
  t.hasOwnProps(violations(fire), ['a write of another attempt gets through', 'a lease is taken away before its end'])
})
