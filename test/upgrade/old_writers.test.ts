import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import t from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { insertRow } from '../fixtures/rows.ts'
import { column } from '../fixtures/column.ts'
import {
  readAppNames, cloneDatabase, contractWithoutDbmate, createLegacyDatabase, expand, insertRequest, insertSnapshot, readQuarantined, readRequest, signUp, readSnapshot,
} from './fixtures/legacy.ts'

const legacy = await createLegacyDatabase(t)
/** An empty database after expand and before the backfill. */
const empty = await cloneDatabase(t, legacy)
await expand(empty)

/**
 * Writes of the previous schema between expand and contract: the service sets only the columns of the baseline, and none of
 * its statements may fail.
 */
async function asServiceRole<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('set role service_role')
  try {
    return await work()
  } finally {
    await client.query('reset role')
  }
}

t.test('an insert for a user that is not backfilled yet creates no app; the backfill does', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  await asServiceRole(owner, () => insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-02' }))
  await asServiceRole(owner, () => insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-01', app_id: null }))
  t.strictSame(await readAppNames(owner, user_id), [])
  await backfill(owner)
  t.strictSame(await readAppNames(owner, user_id), ['Todo', 'Todo (2)'])
})

t.test('an insert for a user that is backfilled creates the app at once', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  await insertRequest(owner, { user_id, app_name: 'Todo' })
  await backfill(owner)
  const { id, saved } = await asServiceRole(owner, async () => {
    const id = await insertRequest(owner, { user_id, app_name: 'Todo', app_id: null, created_at: '2025-04-01' })
    await insertRequest(owner, { user_id, app_name: ' ', created_at: '2025-04-02' })
    await insertRequest(owner, { user_id, app_name: 'Books', created_at: '2025-04-03' })
    return { id, saved: await insertSnapshot(owner, id) }
  })
  t.strictSame(await readAppNames(owner, user_id), ['Todo', 'Todo (2)', 'Untitled app', 'Books'])
  t.match(await readSnapshot(owner, saved), { user_id })
  t.strictSame(
    await column(owner, 'select app_id = private.app_id_of_request(id) from public.generation_requests where id = $1', [id]),
    [true],
  )
  await contractWithoutDbmate(live)
})

t.test('the backfill does not wait for an open transaction, and names the apps of its user later', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const busy = await signUp(owner)
  const idle = await signUp(owner)
  for (const user_id of [busy, idle]) await insertRequest(owner, { user_id, app_name: 'Todo', created_at: '2025-02-02' })
  await withClient(live.target, async (writer) => {
    await writer.query('begin')
    await insertRequest(writer, { user_id: busy, app_name: 'Todo', created_at: '2025-02-01' })
    await owner.query(`set lock_timeout = '1s'`)
    await owner.query('select private.backfill_users(10)')
    t.strictSame(await readAppNames(owner, busy), [])
    t.strictSame(await readAppNames(owner, idle), ['Todo'])
    await writer.query('commit')
  })
  await contractWithoutDbmate(live)
  t.strictSame(await readAppNames(owner, busy), ['Todo', 'Todo (2)'])
})

t.test('two concurrent inserts for one user with the same app name both succeed', async (t) => {
  const live = await cloneDatabase(t, empty)
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
  await contractWithoutDbmate(live)
  t.strictSame((await readAppNames(owner, user_id)).sort(), ['Todo', 'Todo (2)'])
})

t.test('two transactions that write for two users in opposite order do not deadlock', async (t) => {
  const live = await cloneDatabase(t, empty)
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

t.test('no statement of a writer of the previous schema fails', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  const other = await signUp(owner)
  const app_id = randomUUID()
  const first = await insertRequest(owner, { user_id, app_id })
  const saved = await insertSnapshot(owner, first)
  await backfill(owner)
  const writes: Record<string, () => Promise<unknown>> = {
    'a request without a user': () => insertRequest(owner, { user_id: null }),
    'a request of a user that does not exist': () => insertRequest(owner, { user_id: randomUUID() }),
    'a request for another user\'s app': () => insertRequest(owner, { user_id: other, app_id }),
    'a name whose first visible character is after the limit': () => insertRequest(owner, { user_id, app_name: ' '.repeat(130) + 'x' }),
    'a name that is too long': () => insertRequest(owner, { user_id, app_name: 'x'.repeat(500) }),
    'a request with user_id only': () => insertRow(owner, 'public.generation_requests', { user_id }),
    'a snapshot of a generation that does not exist': () => insertSnapshot(owner, 999_999),
    'an update of all requests to invalid values': () =>
      owner.query('update public.generation_requests set app_id = null, app_name = null, status = null, max_iterations = -1'),
    'a snapshot that loses its generation': () =>
      owner.query('update public.iteration_snapshots set generation_request_id = null where id = $1', [saved]),
    'a delete': () => owner.query('delete from public.generation_requests where id = $1', [first]),
  }
  for (const [what, write] of Object.entries(writes)) {
    t.strictSame(await outcomeOf(asServiceRole(owner, write)), { code: 'done' }, what)
  }
  await contractWithoutDbmate(live)
})

t.test('a snapshot that is moved to another user\'s generation gets that user as owner', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const [ada, grace] = [await signUp(owner), await signUp(owner)]
  const saved = await insertSnapshot(owner, await insertRequest(owner, { user_id: ada }))
  const target = await insertRequest(owner, { user_id: grace })
  await backfill(owner)
  await owner.query('update public.iteration_snapshots set generation_request_id = $2 where id = $1', [saved, target])
  await contractWithoutDbmate(live)
  t.match(await readSnapshot(owner, saved), { user_id: grace })
})

t.test('the snapshots of a request that changes its user get the new user as owner', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const [ada, grace] = [await signUp(owner), await signUp(owner)]
  const id = await insertRequest(owner, { user_id: ada, app_id: null })
  const saved = await insertSnapshot(owner, id)
  await backfill(owner)
  await owner.query('update public.generation_requests set user_id = $2, app_id = $3 where id = $1', [id, grace, randomUUID()])
  await contractWithoutDbmate(live)
  t.match(await readSnapshot(owner, saved), { user_id: grace })
})

t.test('a request of another user for an app is quarantined, and the app keeps its owner', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const app_id = randomUUID()
  const mine = await insertRequest(owner, { user_id: await signUp(owner), app_id })
  const other = await signUp(owner)
  await backfill(owner)
  const theirs = await insertRequest(owner, { user_id: other, app_id })
  await contractWithoutDbmate(live)
  t.ok(await readRequest(owner, mine))
  t.match(await readQuarantined(owner, 'generation_requests', theirs), { reason: /another user/ })
})

t.test('an update does not decide the owner of an app that several users claim', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const app_id = randomUUID()
  const waiting = { app_id, status: 'queued', completed_at: null, updated_at: new Date() }
  const ids = [
    await insertRequest(owner, { ...waiting, user_id: await signUp(owner) }),
    await insertRequest(owner, { ...waiting, user_id: await signUp(owner) }),
  ]
  await backfill(owner)
  await asServiceRole(owner, () => owner.query('update public.generation_requests set app_id = app_id where id = $1', [ids[1]]))
  t.strictSame(await column(owner, 'select user_id from public.apps where id = $1', [app_id]), [])
  await contractWithoutDbmate(live)
  for (const id of ids) t.match(await readQuarantined(owner, 'generation_requests', id), { reason: /several users/ })
})
