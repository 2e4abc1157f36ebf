import t from 'tap'
import { createTestDatabase } from '../fixtures/database.ts'
import { met, setOnFire, violations } from './fixtures/chaos.ts'
import type { Entry, Line } from './fixtures/chaos.ts'

const small = { generations: 300, users: 10, workers: 3, oversleep: 0.01, timeoutMs: 60_000 }

t.test('300 generations survive workers that die, oversleep and lose their connections, and users who change their minds', async (t) => {
  const fire = await setOnFire(t, await createTestDatabase(t), { ...small, seed: 1 })
  t.strictSame(violations(fire), {})
  t.strictSame([fire.unfinished, fire.leases], [0, 0])
  t.comment(met(fire))
})

t.test('each thing that must not happen is noticed', async (t) => {
  const event = (status: Entry['status'], more: Partial<Entry> = {}): Entry => ({ id: 1, at: new Date(0), status, attempt: null, reason: null, ...more })
  const snapshot = event(null, { attempt: 1 })
  const began = [event('queued'), event('generating')]
  const line = (more: Partial<Line>): Line => ({ act: 'x', id: 1, attempt: 1, ...more })
  const cases: Readonly<Record<string, { entries?: Entry[]; lines?: Line[] }>> = {
    'a move is illegal': { entries: [event('queued'), event('completed')] },
    'a write of another attempt gets through': { entries: [...began, event('completed', { attempt: 2 })] },
    'a snapshot gets through while nothing runs': { entries: [...began, event('paused'), snapshot] },
    'a lease is taken away before its end': {
      entries: [...began, event('queued', { reason: 'its worker was lost: …' })],
      lines: [line({ until: new Date(1) })],
    },
    'one attempt is held by two': { lines: [line({ worker: 'a' }), line({ worker: 'b' })] },
    'an accepted write is not there': { entries: began, lines: [line({ outcome: 'recorded' })] },
    'a write is accepted after one was refused': {
      entries: [...began, snapshot],
      lines: [line({ outcome: 'lease_lost' }), line({ outcome: 'recorded' })],
    },
  }
  for (const [kind, { entries = [], lines = [] }] of Object.entries(cases)) t.strictSame(violations({ entries, lines }), { [kind]: 1 })
  const fine = [...began, snapshot, event('completed', { attempt: 1 })]
  t.strictSame(violations({ entries: fine, lines: [line({ worker: 'a' }), line({ outcome: 'recorded' })] }), {})
})
