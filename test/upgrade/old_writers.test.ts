import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import t from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { insertRow } from '../fixtures/rows.ts'
import { expand, contractQuickly, clone, createLegacy, signUp, insertRequest, insertSnapshot, column, appNames, request, snapshot, quarantined } from '../fixtures/legacy.ts'

const legacy = await createLegacy(t)
/** The same, empty and expanded: old writers still write, nothing is backfilled. */
const empty = await clone(t, legacy)
await expand(empty)


// --- Old writers, between expand and contract

/** The service as it always was; what it writes must never fail. */
async function asService<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('set role service_role')
  try {
    return await work()
  } finally {
    await client.query('reset role')
  }
}

t.test('an old writer of a user whose apps have no names yet leaves the naming to the backfill', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  await asService(owner, () => insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-02' }))
  await asService(owner, () => insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-01', app_id: null }))
  t.strictSame(await appNames(owner, user_id), [])
  await backfill(owner)
  t.strictSame(await appNames(owner, user_id), ['Todo', 'Todo (2)'])
})

t.test('an old writer of a user whose apps have names is followed at once', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  await insertRequest(owner, { user_id, app_name: 'Todo' })
  await backfill(owner)
  const { id, saved } = await asService(owner, async () => {
    const id = await insertRequest(owner, { user_id, app_name: 'Todo', app_id: null, created_at: '2025-04-01' })
    await insertRequest(owner, { user_id, app_name: ' ', created_at: '2025-04-02' })
    await insertRequest(owner, { user_id, app_name: 'Books', created_at: '2025-04-03' })
    return { id, saved: await insertSnapshot(owner, id) }
  })
  t.strictSame(await appNames(owner, user_id), ['Todo', 'Todo (2)', 'Untitled app', 'Books'])
  t.match(await snapshot(owner, saved), { user_id })
  t.strictSame(
    await column(owner, 'select app_id = private.app_id_of_request(id) from public.generation_requests where id = $1', [id]),
    [true],
  )
  await contractQuickly(live)
})

t.test('an old writer who has a transaction open is not waited for, and their user is named later', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const busy = await signUp(owner)
  const idle = await signUp(owner)
  for (const user_id of [busy, idle]) await insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-02' })
  await withClient(live.target, async (writer) => {
    await writer.query('begin')
    await insertRequest(writer, { user_id: busy, app_name: 'Todo', created_at: '2025-02-01' })
    await owner.query(`set lock_timeout = '1s'`)
    await owner.query('select private.backfill_users(10)')
    t.strictSame(await appNames(owner, busy), [])
    t.strictSame(await appNames(owner, idle), ['Todo'])
    await writer.query('commit')
  })
  await contractQuickly(live)
  t.strictSame(await appNames(owner, busy), ['Todo', 'Todo (2)'])
})

t.test('two old writers of one user who want one name at once both get through', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  await backfill(owner)
  await withClient(live.target, async (other) => {
    await owner.query('begin')
    await insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-02' })
    const second = insertRequest(other, { user_id, app_name: 'Todo', created_at: '2025-02-01' })
    await owner.query('commit')
    await second
  })
  await contractQuickly(live)
  t.strictSame((await appNames(owner, user_id)).sort(), ['Todo', 'Todo (2)'])
})

t.test('two old writers who write for two users, crosswise, both get through', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const [ada, grace] = [await signUp(owner), await signUp(owner)]
  await backfill(owner)
  await withClient(live.target, async (other) => {
    await owner.query('begin')
    await other.query('begin')
    await insertRequest(owner, { user_id: ada })
    await insertRequest(other, { user_id: grace })
    const both = [insertRequest(owner, { user_id: grace }), insertRequest(other, { user_id: ada })].map(async (write, index) => {
      const outcome = await outcomeOf(write)
      await (index === 0 ? owner : other).query('rollback')
      return outcome
    })
    t.strictSame(await Promise.all(both), [{ code: 'done' }, { code: 'done' }])
  })
})

t.test('nothing that an old writer can write fails, whoever it is for', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  const other = await signUp(owner)
  const app_id = randomUUID()
  const first = await insertRequest(owner, { user_id, app_id })
  const saved = await insertSnapshot(owner, first)
  await backfill(owner)
  const writes: Record<string, () => Promise<unknown>> = {
    'a request of nobody': () => insertRequest(owner, { user_id: null }),
    'a request of a user who is gone': () => insertRequest(owner, { user_id: randomUUID() }),
    'a request for an app of somebody else': () => insertRequest(owner, { user_id: other, app_id }),
    'a name whose visible part comes late': () => insertRequest(owner, { user_id, app_name: ' '.repeat(130) + 'x' }),
    'a name that is too long': () => insertRequest(owner, { user_id, app_name: 'x'.repeat(500) }),
    'a request with nothing in it': () => insertRow(owner, 'public.generation_requests', { user_id }),
    'a snapshot of no generation': () => insertSnapshot(owner, 999_999),
    'an update of everything': () =>
      owner.query('update public.generation_requests set app_id = null, app_name = null, status = null, max_iterations = -1'),
    'a snapshot that moves': () =>
      owner.query('update public.iteration_snapshots set generation_request_id = null where id = $1', [saved]),
    'a delete': () => owner.query('delete from public.generation_requests where id = $1', [first]),
  }
  for (const [what, write] of Object.entries(writes)) {
    t.strictSame(await outcomeOf(asService(owner, write)), { code: 'done' }, what)
  }
  await contractQuickly(live)
})

t.test('a snapshot that an old writer moves to another user\'s generation changes its owner', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const [ada, grace] = [await signUp(owner), await signUp(owner)]
  const saved = await insertSnapshot(owner, await insertRequest(owner, { user_id: ada }))
  const target = await insertRequest(owner, { user_id: grace })
  await backfill(owner)
  await owner.query('update public.iteration_snapshots set generation_request_id = $2 where id = $1', [saved, target])
  await contractQuickly(live)
  t.match(await snapshot(owner, saved), { user_id: grace })
})

t.test('a request that an old writer gives to another user takes its snapshots along', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const [ada, grace] = [await signUp(owner), await signUp(owner)]
  const id = await insertRequest(owner, { user_id: ada, app_id: null })
  const saved = await insertSnapshot(owner, id)
  await backfill(owner)
  await owner.query('update public.generation_requests set user_id = $2, app_id = $3 where id = $1', [id, grace, randomUUID()])
  await contractQuickly(live)
  t.match(await snapshot(owner, saved), { user_id: grace })
})

t.test('an app that has its owner stays theirs when an old writer claims it for another; only that row goes', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const app_id = randomUUID()
  const mine = await insertRequest(owner, { user_id: await signUp(owner), app_id })
  const other = await signUp(owner)
  await backfill(owner)
  const theirs = await insertRequest(owner, { user_id: other, app_id })
  await contractQuickly(live)
  t.ok(await request(owner, mine))
  t.match(await quarantined(owner, 'generation_requests', theirs), { reason: /another user/ })
})

t.test('whoever writes first does not own an app that several users claim', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const app_id = randomUUID()
  const waiting = { app_id, status: 'queued', completed_at: null, updated_at: new Date() }
  const ids = [
    await insertRequest(owner, { ...waiting, user_id: await signUp(owner) }),
    await insertRequest(owner, { ...waiting, user_id: await signUp(owner) }),
  ]
  await backfill(owner)
  await asService(owner, () => owner.query('update public.generation_requests set app_id = app_id where id = $1', [ids[1]]))
  t.strictSame(await column(owner, 'select user_id from public.apps where id = $1', [app_id]), [])
  await contractQuickly(live)
  for (const id of ids) t.match(await quarantined(owner, 'generation_requests', id), { reason: /several users/ })
})
