import t from 'tap'
import { asService, inTransaction, queue } from '../../db/index.ts'
import type { GenerationId } from '../../db/index.ts'
import { waitUntilBlocked, rolledBack } from '../fixtures/probe.ts'
import { lastReason, openQueue, readGeneration, rowsOfGeneration, worker } from './fixtures/queue.ts'
import { only } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const { test, owner, db, ada, grace, mary, claimIds, claimOne, setStatus, expire, leases } = await openQueue(t)
/** Ends the delay of a generation. */
const endDelay = (id: number) => owner.query('update generation_requests set available_at = now() where id = $1', [id])

t.test('a failed attempt is retried after a delay that doubles, until the generation fails', async (t) => {
  const id = await ada.queue()
  const start = only(await owner.query<{ now: Date }>('select now()')).now
  const pauseOf = async (): Promise<number> => {
    const { available_at, updated_at } = await readGeneration(owner, id)
    return ((available_at as Date).getTime() - (updated_at as Date).getTime()) / 1000
  }
  for (const [failure_count, pause] of [[1, 30], [2, 60]] as const) {
    t.strictSame(await queue.fail(db, await claimOne(), { error_message: 'no disk' }), { outcome: 'queued' })
    t.match(await readGeneration(owner, id), { status: 'queued', failure_count, error_message: 'no disk', completed_at: null })
    t.equal(await pauseOf(), pause)
    t.equal(await lastReason(owner, id), 'no disk')
    t.strictSame(await claimIds(), [], 'not before the delay ends')
    await endDelay(id)
  }
  t.ok(((await readGeneration(owner, id))['queue_at'] as Date) > start, 'a delayed generation is placed after those that are due')

  t.strictSame(await queue.fail(db, await claimOne(), { error_message: 'no disk' }), { outcome: 'failed' })
  t.match(await readGeneration(owner, id), { status: 'failed', failure_count: 3, available_at: null, error_message: 'no disk' })
  t.strictSame(await leases(), [])

  await setStatus(ada, id, 'queued')
  t.match(await readGeneration(owner, id), { failure_count: 0, retry_count: 1 }, 'a retry by the user resets the failures')
  t.strictSame(await queue.fail(db, await claimOne(), { error_message: 'no retry', maxFailures: 1 }), { outcome: 'failed' })
})

t.test('the delay is an hour at most, and a user can skip it', async (t) => {
  const id = await ada.queue({ failure_count: 30 })
  await queue.fail(db, await claimOne(), { error_message: 'x', maxFailures: 100 })
  const { available_at, updated_at } = await readGeneration(owner, id)
  t.equal((available_at as Date).getTime() - (updated_at as Date).getTime(), 3_600_000)
  await setStatus(ada, id, 'paused')
  t.match(await readGeneration(owner, id), { available_at: null })
  await setStatus(ada, id, 'queued')
  t.strictSame(await claimIds(), [id])
})

t.test('a reason that the transaction has set applies to all its changes', async (t) => {
  const [first, second] = [await ada.queue(), await grace.queue()]
  const [a, b] = await queue.claim(db, { worker, limit: 2 })
  await asService(db, async (trx) => {
    await queue.fail(trx, a!, { error_message: 'no disk' })
    await queue.release(trx, b!)
  }, { reason: 'maintenance' })
  t.strictSame([await lastReason(owner, first), await lastReason(owner, second)], ['maintenance', 'maintenance'])

  await inTransaction(db, async (trx) => {
    const again = await queue.claim(trx, { worker })
    await queue.release(trx, again[0]!)
    await queue.claim(trx, { worker })
  })
  t.equal(await lastReason(owner, second), null, 'a reason that a function sets does not')
})

t.test('a released generation returns to the head of the queue without a failure', async (t) => {
  const id = await ada.queue()
  const later = await grace.queue()
  const held = await claimOne()
  t.strictSame(await queue.release(db, held), { outcome: 'released' })
  t.match(await readGeneration(owner, id), { status: 'queued', failure_count: 0, available_at: null })
  t.equal(await lastReason(owner, id), 'released by its worker')
  t.strictSame(await leases(), [])
  t.strictSame(await claimIds(), [id, later])
})

t.test('an iteration is saved with its files and the progress of the generation', async (t) => {
  const id = await ada.queue()
  const held = await claimOne()
  const files = { 'index.html': '<h1>Bücher</h1>\0', 'a/"b"\n': '', ...(JSON.parse('{"__proto__":"x"}') as Record<string, string>) }
  const iteration = { iteration_number: 2, files, prompt_used: 'more', metadata: { tokens: 3 }, last_session_id: 's2' }
  const recorded = await queue.recordIteration(db, held, iteration)
  if (recorded.outcome !== 'recorded') return t.fail('lost')
  const select = 'select iteration_number, snapshot_type, files_snapshot, prompt_used, metadata, user_id from iteration_snapshots where id = $1'
  t.strictSame((await owner.query(select, [recorded.snapshot_id])).rows, [
    {
      ...{ iteration_number: 2, snapshot_type: 'automatic', files_snapshot: JSON.stringify(files), prompt_used: 'more' },
      ...{ metadata: { tokens: 3 }, user_id: ada.userId },
    },
  ])
  t.match(await readGeneration(owner, id), { current_iteration: 2, last_session_id: 's2' })
  await queue.recordIteration(db, held, { iteration_number: 1, files, snapshot_type: 'checkpoint' })
  t.match(await readGeneration(owner, id), { current_iteration: 2, last_session_id: 's2' }, 'the progress does not decrease, and the session is kept')
  await t.rejects(queue.recordIteration(db, held, { iteration_number: 11, files }), { code: 'iteration_out_of_range' })
  t.equal(only(await owner.query<{ n: number }>('select count(*)::int as n from iteration_snapshots')).n, 2)
})

t.test('a completion sets the given result and keeps the other columns', async (t) => {
  const github_url = 'https://github.com/leo/books'
  const id = await ada.queue({ github_url, error_message: 'at first' })
  const github_commit = 'a'.repeat(40)
  t.strictSame(await queue.complete(db, await claimOne(), { github_commit }), { outcome: 'completed' })
  t.match(await readGeneration(owner, id), { status: 'completed', github_commit, github_url, deployment_url: null, error_message: null })
  t.strictSame(await leases(), [])
})

t.test('completing and claiming are one transaction, and a lost lease does not affect other completions', async (t) => {
  const [done, lost] = [await ada.queue(), await grace.queue()]
  const [first, second] = await queue.claim(db, { worker, limit: 2 })
  await setStatus(grace, lost, 'cancelled')
  const next = await mary.queue()
  const wrong = { ...first!, github_commit: 'x' }
  await t.rejects(queue.completeAndClaim(db, [second!, wrong], { worker }), { code: 'github_commit_not_sha' })
  t.match(await readGeneration(owner, next), { status: 'queued' }, 'a rejected completion claims no generation')

  const deployment_url = 'https://books.fly.dev'
  const step = await queue.completeAndClaim(db, [second!, { ...first!, deployment_url }], { worker, limit: 5 })
  t.strictSame(step.completed, [
    { id: lost, attempt: 1, outcome: 'lease_lost' },
    { id: done, attempt: 1, outcome: 'completed' },
  ])
  t.match(step.claimed, [{ id: next, attempt: 1, user_id: mary.userId }])
  t.equal(step.claimed.length, 1)
  t.match(await readGeneration(owner, done), { status: 'completed', deployment_url })
  t.strictSame(await leases(), [{ id: lost, attempt: 1, worker }, { id: next, attempt: 1, worker }])
})

const writes: Readonly<Record<string, (lease: queue.Lease) => Promise<{ readonly outcome: string }>>> = {
  heartbeat: (lease) => queue.heartbeat(db, lease),
  recordIteration: (lease) => queue.recordIteration(db, lease, { iteration_number: 1, files: {} }),
  complete: (lease) => queue.complete(db, lease),
  completeAndClaim: async (lease) => (await queue.completeAndClaim(db, [lease], { worker: 'late' })).completed[0]!,
  fail: (lease) => queue.fail(db, lease, { error_message: 'late' }),
  release: (lease) => queue.release(db, lease),
}
const losses: Readonly<Record<string, (id: number) => Promise<unknown>>> = {
  'requeued and not claimed yet': async (id) => {
    await expire(id)
    return queue.requeueExpired(db, { backoffMs: 3_600_000 })
  },
  'claimed by another worker': async (id) => {
    await expire(id)
    await queue.requeueExpired(db, { backoffMs: 0 })
    return queue.claim(db, { worker: 'worker-2' })
  },
  'completed by another worker': async (id) => {
    await losses['claimed by another worker']!(id)
    return queue.complete(db, { id: id as GenerationId, attempt: 2 })
  },
  'paused by its user': (id) => setStatus(ada, id, 'paused'),
  'cancelled by its user': (id) => setStatus(ada, id, 'cancelled'),
  'deleted with its app': async () => {
    await owner.query('delete from apps where id = $1', [ada.appId])
    return owner.query(`insert into apps (id, user_id, app_name) values ($1, $2, 'Again')`, [ada.appId, ada.userId])
  },
}
for (const [name, write] of Object.entries(writes)) {
  t.test(`${name} changes no row if the worker has lost its lease`, async (t) => {
    for (const [loss, lose] of Object.entries(losses)) {
      const id = await ada.queue()
      const held = await claimOne()
      await lose(id)
      const before = await rowsOfGeneration(owner, id)
      t.match(await write(held), { outcome: 'lease_lost' }, loss)
      t.strictSame(await rowsOfGeneration(owner, id), before, `${loss}: the rows are unchanged`)
      await owner.query('delete from generation_requests')
    }
    await ada.queue()
    t.notMatch(await write(await claimOne()), { outcome: 'lease_lost' }, 'the holder can write')
  })
}

t.test('the condition on the attempt is the fence', async (t) => {
  const id = await ada.queue()
  await claimOne()
  await losses['claimed by another worker']!(id)
  const fenced = {
    complete_generation: `$1, 1`,
    fail_generation: `$1, 1, 'late'`,
    release_generation: `$1, 1`,
    record_iteration: `$1, 1, 1, 'automatic', '{}'`,
  }
  for (const [name, parameters] of Object.entries(fenced)) {
    const get = `select pg_get_functiondef('private.${name}'::regproc) as source`
    const { source } = only(await owner.query<{ source: string }>(get))
    const gets = () => owner.query(`select private.${name}(${parameters}) as it`, [id]).then((result) => only(result)['it'])
    await rolledBack(owner, async () => {
      t.notOk(await gets(), name)
      await owner.query(source.replace(' and r.attempt = p_attempt', ''))
      t.ok(await gets(), `${name} without the fence succeeds`)
    })
  }
})

t.test('a write that waited for a change of status returns that the lease is lost', async (t) => {
  const client = await test.login(logins.leo_worker)
  for (const name of ['complete_generation($1, 1)', `fail_generation($1, 1, 'late')`, 'release_generation($1, 1)', `record_iteration($1, 1, 1, 'automatic', '{}')`]) {
    const id = await ada.queue()
    await claimOne()
    await owner.query('begin')
    await owner.query(`update generation_requests set status = 'paused' where id = $1`, [id])
    const late = client.query(`select private.${name} as it`, [id])
    await waitUntilBlocked(test.owner, client, late)
    await owner.query('commit')
    t.notOk(only(await late)['it'], name)
    t.match(await readGeneration(owner, id), { status: 'paused', current_iteration: 0 })
    await owner.query('delete from generation_requests')
  }
})

t.test('a heartbeat renews the lease and updates no index', async (t) => {
  await ada.queue()
  const held = await claimOne()
  const updates = `select pg_stat_get_xact_tuples_updated(c.oid)::int as n, pg_stat_get_xact_tuples_hot_updated(c.oid)::int as hot
    from pg_class as c where c.oid = 'private.generation_leases'::regclass`
  const client = await test.login(logins.leo_worker)
  await client.query('begin')
  for (let count = 0; count < 20; count += 1) {
    await client.query(`select private.prolong_generation_lease($1, $2, '1 minute')`, [held.id, held.attempt])
  }
  t.strictSame((await client.query(updates)).rows, [{ n: 20, hot: 20 }])
  await client.query('commit')
  const before = Date.now()
  const heartbeat = await queue.heartbeat(db, held, { leaseMs: 600_000 })
  if (heartbeat.outcome !== 'held') return t.fail('lost')
  const leaseMs = heartbeat.expires_at.getTime() - before
  t.ok(leaseMs >= 600_000 - 50 && leaseMs <= 600_000 + 50 + Date.now() - before, `a lease of ${leaseMs} ms`)
  await expire(held.id)
  t.match(await queue.heartbeat(db, held), { outcome: 'held' }, 'also after its expiry, until the attempt is ended')
})

t.test('an expired lease ends the attempt, counts as a failure, and is the reason in the timeline', async (t) => {
  const [lost, live] = [await ada.queue(), await grace.queue()]
  await queue.claim(db, { worker, limit: 2 })
  t.strictSame(await queue.requeueExpired(db), [])
  await expire(lost)
  t.strictSame(await queue.requeueExpired(db), [{ id: lost, attempt: 1, status: 'queued' }])
  t.match(await readGeneration(owner, lost), { status: 'queued', failure_count: 1, error_message: 'its worker was lost: the lease expired' })
  t.equal(await lastReason(owner, lost), 'its worker was lost: the lease expired')
  t.strictSame(await leases(), [{ id: live, attempt: 1, worker }])
  t.strictSame(await claimIds(), [], 'it is delayed as after any failure')

  await endDelay(lost)
  await claimOne()
  await expire(lost)
  t.strictSame(await queue.requeueExpired(db, { maxFailures: 2 }), [{ id: lost, attempt: 2, status: 'failed' }])
})

t.test('the lease of a paused generation is deleted when it expires', async (t) => {
  const id = await ada.queue()
  await claimOne()
  await setStatus(ada, id, 'paused')
  t.strictSame(await queue.requeueExpired(db), [])
  t.equal((await leases()).length, 1)
  await expire(id)
  t.strictSame(await queue.requeueExpired(db), [])
  t.strictSame(await leases(), [])
  t.match(await readGeneration(owner, id), { status: 'paused', failure_count: 0 })
})

t.test('the lease of an earlier attempt is replaced by the next claim', async (t) => {
  const id = await ada.queue()
  await claimOne()
  await setStatus(ada, id, 'paused')
  await setStatus(ada, id, 'queued')
  await queue.claim(db, { worker: 'worker-2' })
  t.strictSame(await leases(), [{ id, attempt: 2, worker: 'worker-2' }])
})

t.test('concurrent calls of requeueExpired return different leases without waiting', async (t) => {
  for (const customer of [ada, grace, mary]) await customer.queue()
  const ids = await claimIds()
  for (const id of ids) await expire(id)
  await inTransaction(db, async (trx) => {
    const first = await queue.requeueExpired(trx, { limit: 2 })
    const second = await queue.requeueExpired(db)
    t.strictSame([...first, ...second].map(({ id }) => id).sort(), ids.toSorted())
    t.equal(first.length, 2)
  })
})

t.test('a heartbeat that commits before requeueExpired keeps the lease', async (t) => {
  const id = await ada.queue()
  const held = await claimOne()
  await expire(id)
  const other = await test.login(logins.leo_worker)
  const { requeue } = await inTransaction(db, async (trx) => {
    t.match(await queue.heartbeat(trx, held), { outcome: 'held' })
    const requeue = other.query('select * from private.requeue_expired_generations()')
    await waitUntilBlocked(owner, other, requeue)
    return { requeue }
  })
  t.equal((await requeue).rowCount, 0)
  t.match(await readGeneration(owner, id), { status: 'generating' })
})
