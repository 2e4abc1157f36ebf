import t from 'tap'
import type pg from 'pg'
import { inTransaction, queue } from '../../db/index.ts'
import type { UserId } from '../../db/index.ts'
import { user } from '../fixtures/database.ts'
import { waitUntilBlocked, rolledBack } from '../fixtures/probe.ts'
import { newCustomer, openQueue, readGeneration, serviceClient, worker } from './fixtures/queue.ts'
import { only } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'
import { timeLimit } from '../fixtures/until.ts'

const { test, owner, db, ada, grace, mary, claimIds, claimOne, setStatus, expire, leases } = await openQueue(t)
const past = new Date('2026-01-01T00:00:00Z')

t.test('a claim returns the highest priority first, then the order of the queue, with all columns that a worker needs', async (t) => {
  const late = await ada.queue({ queue_at: new Date('2026-01-02T00:00:00Z') })
  const early = await ada.queue({ queue_at: past, initial_prompt: 'books', generation_type: 'resume', last_session_id: 's1' })
  const urgent = await grace.queue({ priority: 1, queue_at: new Date('2026-01-03T00:00:00Z') })
  const last = await grace.queue({ priority: -1, queue_at: past })
  const before = Date.now()
  const claimed = await queue.claim(db, { worker, limit: 3, leaseMs: 5000 })
  t.strictSame(claimed.map(({ id }) => id), [urgent, early, late])
  t.match(await readGeneration(owner, last), { status: 'queued', attempt: 0 }, 'a generation beyond the limit is not claimed')

  const { lease_expires_at, ...rest } = claimed[1]!
  const leaseMs = lease_expires_at.getTime() - before
  t.ok(leaseMs >= 5000 - 50 && leaseMs <= 5000 + 50 + Date.now() - before, `a lease of ${leaseMs} ms`)
  t.strictSame(rest, {
    ...{ id: early, attempt: 1, user_id: ada.userId, app_id: ada.appId, app_name: (await readGeneration(owner, early))['app_name'] },
    ...{ prompt: 'a list of books', initial_prompt: 'books', generation_type: 'resume', mode: 'autonomous', max_iterations: 10 },
    ...{ current_iteration: 0, last_session_id: 's1', github_url: null, failure_count: 0 },
  })
  t.match(await readGeneration(owner, early), { status: 'generating', attempt: 1 })
  t.strictSame(await leases(), [late, early, urgent].map((id) => ({ id, attempt: 1, worker })))
  t.equal(await queue.claimOne(db, { worker }).then((one) => one?.id), last)
  t.equal(await queue.claimOne(db, { worker }), undefined, 'then the queue is empty')
})

t.test('a claim skips the rows of an uncommitted claim without waiting', async (t) => {
  const ids = [await ada.queue(), await grace.queue(), await mary.queue()]
  await inTransaction(db, async (trx) => {
    t.strictSame((await queue.claim(trx, { worker })).map(({ id }) => id), [ids[0]])
    t.strictSame(await claimIds(), [ids[1], ids[2]])
  })
})

t.test('a limit or lease out of range and an empty worker name are rejected', async (t) => {
  await ada.queue()
  for (const options of [{ limit: 0 }, { limit: 101 }, { leaseMs: 999 }, { leaseMs: 86_400_001 }]) {
    await t.rejects(queue.claim(db, { worker, ...options }), { code: 'claim_out_of_range' }, JSON.stringify(options))
  }
  for (const name of ['', 'a b']) await t.rejects(queue.claim(db, { worker: name }), { code: 'worker_not_printable' })
  const held = await claimOne()
  await t.rejects(queue.heartbeat(db, held, { leaseMs: 0 }), { code: 'claim_out_of_range' })
})

t.test('a user with many queued generations does not delay other users', async (t) => {
  const many = [await ada.queue(), await ada.queue(), await ada.queue()]
  const one = await grace.queue()
  const another = await mary.queue()
  t.strictSame(await claimIds(), [many[0], one, another, many[1], many[2]])
})

t.test('a resumed or retried generation is placed after the queued ones of its user', async (t) => {
  const back = [await ada.queue({ status: 'paused', queue_at: past }), await ada.queue({ status: 'failed', queue_at: past })]
  const first = await ada.queue()
  for (const id of back) await setStatus(ada, id, 'queued')
  const other = await grace.queue()
  t.strictSame(await claimIds(), [first, other, ...back])
})

t.test('a service can set the position in the queue', async (t) => {
  const first = await ada.queue()
  const before = await ada.queue({ queue_at: past })
  t.strictSame(await claimIds(), [before, first])
})

t.test('the limit of running generations per user holds', async (t) => {
  const own = [await ada.queue(), await ada.queue(), await ada.queue()]
  const other = await grace.queue()
  t.strictSame(await claimIds({ userLimit: 0 }), [])
  t.strictSame(await claimIds({ userLimit: 2 }), [own[0], other, own[1]])
  t.strictSame(await claimIds({ userLimit: 2 }), [])
  await queue.complete(db, { id: own[0]!, attempt: 1 })
  t.strictSame(await claimIds({ userLimit: 2 }), [own[2]], 'a completed generation frees a slot')
  const next = await ada.queue()
  await setStatus(ada, own[1]!, 'paused')
  t.strictSame(await claimIds({ userLimit: 2 }), [next], 'a paused one frees a slot before its lease expires')
  const more = await ada.queue()
  t.strictSame(await claimIds(), [more], 'without userLimit it does not apply')
})

t.test('a completion frees a slot in the same call, a lost lease does not', async (t) => {
  const [first, second] = [await ada.queue(), await ada.queue()]
  const [held] = await queue.claim(db, { worker, userLimit: 1 })
  const step = await queue.completeAndClaim(db, [held!], { worker, userLimit: 1 })
  t.match(step, { completed: [{ id: first, outcome: 'completed' }], claimed: [{ id: second, user_id: ada.userId }] })

  await expire(second)
  await queue.requeueExpired(db, { backoffMs: 0 })
  t.strictSame(await claimIds({ userLimit: 1 }), [second])
  await ada.queue()
  const late = await queue.completeAndClaim(db, step.claimed, { worker, userLimit: 1 })
  t.match(late, { completed: [{ id: second, outcome: 'lease_lost' }], claimed: { length: 0 } })
})

/** The number of generations that a second worker claims before and after the commit of the first worker's claim. */
async function race(first: pg.Client, second: pg.Client): Promise<(number | null)[]> {
  const claim = 'select id from private.claim_generations($1, 10, $2, 1)'
  await first.query('begin')
  const taken = [await first.query(claim, ['first', '1 minute']), await second.query(claim, ['second', '1 minute'])]
  await first.query('commit')
  return [...taken, await second.query(claim, ['second', '1 minute'])].map(({ rowCount }) => rowCount)
}

t.test('the limit holds while another claim for the same user is not committed', async (t) => {
  const [first, second] = [await test.login(logins.leo_worker), await test.login(logins.leo_worker)]
  const queueBoth = async () => {
    for (const customer of [ada, ada, grace]) await customer.queue()
  }
  await queueBoth()
  t.strictSame(await race(first, second), [2, 0, 0])

  // Removes the lock, to show that the limit depends on it.
  const name = 'private.lock_generations_within_limit'
  const { source } = only(await owner.query<{ source: string }>(`select pg_get_functiondef('${name}'::regproc) as source`))
  await owner.query(source.replace(/not pg_try_advisory_xact_lock\(.*\n/, 'false\n'))
  await owner.query('delete from generation_requests')
  await queueBoth()
  t.strictSame(await race(first, second), [2, 1, 0], 'without the lock the limit is exceeded by one')
  await owner.query(source)
})

t.test('the limit requires READ COMMITTED', async (t) => {
  await ada.queue()
  const claiming = db.transaction().setIsolationLevel('repeatable read').execute((trx) => queue.claim(trx as never, { worker, userLimit: 1 }))
  await t.rejects(claiming, { code: 'wrong_isolation_level' })
})

t.test('eight concurrent connections never exceed the limit', async (t) => {
  const many = serviceClient(t, test, 8)
  const customers = [ada, grace, mary]
  for (const customer of customers) for (let count = 0; count < 20; count += 1) await customer.queue({ queue_at: past })
  const countRunning = `
    select max(n)::int as most from (
      select count(*) as n from generation_requests where status = 'generating' group by user_id
    ) as running`
  let [done, most] = [0, 0]
  const work = async () => {
    const observer = await test.login('postgres')
    for (const isTooLate = timeLimit(60_000); done < 60 && !isTooLate(); ) {
      const claimed = await queue.claim(many, { worker, limit: 3, userLimit: 2 })
      most = Math.max(most, only(await observer.query<{ most: number | null }>(countRunning)).most ?? 0)
      for (const one of claimed) {
        await queue.complete(many, one)
        done += 1
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, work))
  t.strictSame([done, most], [60, 2])
})

t.test('generations at the head of the queue that exceed the limit do not block later ones', async (t) => {
  await owner.query(
    `insert into generation_requests (user_id, app_id, prompt, mode, queue_at)
     select $1::uuid, $2::uuid, 'x', 'autonomous', $3 from generate_series(1, 300)`,
    [ada.userId, ada.appId, past],
  )
  const behind = [await grace.queue(), await mary.queue()]
  t.equal((await claimIds({ limit: 2, userLimit: 2 })).length, 2)
  t.strictSame(await claimIds({ limit: 2, userLimit: 2 }), behind)
})

t.test('while claims are paused none succeeds, and running generations continue', async (t) => {
  await ada.queue()
  const held = await claimOne()
  const next = await grace.queue()
  t.strictSame(await queue.state(db), { paused_at: null, paused_by: null, reason: null })
  await queue.pauseClaims(db, { by: 'ops', reason: 'upgrade' })
  const { paused_at } = await queue.state(db)
  t.type(paused_at, Date)
  await queue.pauseClaims(db, { by: 'ops-2' })
  t.strictSame(await queue.state(db), { paused_at, paused_by: 'ops-2', reason: null }, 'a second pause keeps the time of the first')

  t.strictSame(await claimIds(), [])
  t.strictSame(await claimIds({ userLimit: 2 }), [])
  t.match(await queue.heartbeat(db, held), { outcome: 'held' })
  t.match(await queue.completeAndClaim(db, [held], { worker }), { completed: [{ outcome: 'completed' }], claimed: { length: 0 } })
  await queue.resumeClaims(db)
  t.strictSame(await claimIds(), [next])
})

t.test('deleting a user deletes all their rows, during concurrent calls of workers', async (t) => {
  const erase = (client: pg.Client, userId: UserId) => client.query('delete from auth.users where id = $1', [userId])
  const count = `select (select count(*) from generation_requests where user_id = $1)
    + (select count(*) from private.generation_leases where user_id = $1) as n`
  const client = await test.login(logins.leo_worker)

  const first = await newCustomer(test)
  await first.queue()
  await client.query('begin')
  t.equal((await client.query(`select id from private.claim_generations('w', 1, '1 minute', 2)`)).rowCount, 1)
  const eraser = await test.login('postgres')
  const erasing = erase(eraser, first.userId)
  await waitUntilBlocked(owner, eraser, erasing)
  await client.query('commit')
  await erasing
  t.match((await owner.query(count, [first.userId])).rows, [{ n: '0' }], 'claimed during the deletion')

  const second = await newCustomer(test)
  const id = await second.queue()
  await claimOne()
  await second.queue()
  await eraser.query('begin')
  await erase(eraser, second.userId)
  t.strictSame(await claimIds(), [], 'a row that is being deleted is not claimed')
  const late = client.query('select private.complete_generation($1, 1) as it', [id])
  await waitUntilBlocked(owner, client, late)
  await eraser.query('commit')
  t.equal(only(await late)['it'], false)
  t.match((await owner.query(count, [second.userId])).rows, [{ n: '0' }])
})

t.test('only workers may call the functions of the queue', async (t) => {
  const calls = [
    `private.claim_generations('w', 1, '1 minute')`,
    `private.complete_and_claim_generations('w', '{}', '{}', '{}', '{}', '{}', 1, '1 minute')`,
    'private.complete_generation(1, 1)',
    `private.fail_generation(1, 1, 'x')`,
    'private.release_generation(1, 1)',
    `private.prolong_generation_lease(1, 1, '1 minute')`,
    'private.requeue_expired_generations()',
    `private.pause_generation_claims('w')`,
    'private.resume_generation_claims()',
  ]
  for (const persona of [user(ada.userId), { role: 'anon' }, { role: 'service_role' }] as const) {
    for (const call of calls) {
      await t.rejects(test.as(persona, (client) => client.query(`select ${call}`)), { code: '42501' }, `${persona.role} ${call}`)
    }
  }
  const client = await test.login(logins.leo_worker)
  for (const call of calls) await t.resolves(rolledBack(client, () => client.query(`select ${call}`)), call)
})
