import t from 'tap'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { coverage, runChaos, violations } from './fixtures/chaos.ts'
import type { HistoryEntry, LogLine } from './fixtures/chaos.ts'

const small = { generations: 300, users: 10, workers: 3, oversleep: 0.01, timeoutMs: 300_000 }
// A run ends when all generations have ended; the limit is for a busy machine.
t.setTimeout(600_000)

t.test('300 generations end correctly while workers crash, sleep past their leases and lose connections, and users intervene', async (t) => {
  const run = await runChaos(t, await createMigratedDatabase(t), { ...small, seed: 1 })
  t.strictSame(violations(run), {})
  t.strictSame([run.unfinished, run.leases], [0, 0])
  t.comment(coverage(run))
})

t.test('each kind of violation is detected', async (t) => {
  const event = (status: HistoryEntry['status'], more: Partial<HistoryEntry> = {}): HistoryEntry => ({ id: 1, at: new Date(0), status, attempt: null, reason: null, ...more })
  const snapshot = event(null, { attempt: 1 })
  const began = [event('queued'), event('generating')]
  const line = (more: Partial<LogLine>): LogLine => ({ act: 'x', id: 1, attempt: 1, ...more })
  const cases: Readonly<Record<string, { entries?: HistoryEntry[]; lines?: LogLine[] }>> = {
    'a change of status is illegal': { entries: [event('queued'), event('completed')] },
    'a write of another attempt is accepted': { entries: [...began, event('completed', { attempt: 2 })] },
    'a snapshot is accepted while the generation is not running': { entries: [...began, event('paused'), snapshot] },
    'a lease ends before it expires': {
      entries: [...began, event('queued', { reason: 'its worker was lost: …' })],
      lines: [line({ until: new Date(1) })],
    },
    'two workers hold one attempt': { lines: [line({ worker: 'a' }), line({ worker: 'b' })] },
    'an accepted write is missing': { entries: began, lines: [line({ outcome: 'recorded' })] },
    'a write is accepted after a rejected one': {
      entries: [...began, snapshot],
      lines: [line({ outcome: 'lease_lost' }), line({ outcome: 'recorded' })],
    },
  }
  for (const [kind, { entries = [], lines = [] }] of Object.entries(cases)) t.strictSame(violations({ entries, lines }), { [kind]: 1 })
  const correct = [...began, snapshot, event('completed', { attempt: 1 })]
  t.strictSame(violations({ entries: correct, lines: [line({ worker: 'a' }), line({ outcome: 'recorded' })] }), {})
})
