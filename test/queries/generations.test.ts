import pg from 'pg'
import t from 'tap'
import { asUser, createClient, generations, queue } from '../../db/index.ts'
import type { AppId, GenerationId, UserId } from '../../db/index.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { newCustomer, readGeneration, serviceClient } from './fixtures/queue.ts'
import { loginTo, logins } from '../fixtures/server.ts'

const test = await createMigratedDatabase(t)
const pool = new pg.Pool({ ...loginTo(test.name, logins.leo_api).pg, max: 3 })
const db = createClient(pool)
t.teardown(() => pool.end())
const workers = serviceClient(t, test, 1)
const [ada, grace] = [await newCustomer(test), await newCustomer(test)]

const as = <T>(userId: UserId, work: Parameters<typeof asUser<T>>[2]): Promise<T> => asUser(db, userId, work)
const requestFor = (appId: AppId, more: Partial<generations.GenerationRequest> = {}): generations.GenerationRequest => ({
  ...{ app_id: appId, prompt: 'a list of books', mode: 'autonomous' },
  ...more,
})

t.test('a user enqueues a generation of their own app', async (t) => {
  const made = await as(ada.userId, (trx) => generations.enqueue(trx, requestFor(ada.appId, { max_iterations: 3, initial_prompt: 'books' })))
  t.match(made, { outcome: 'enqueued', generation: { app_id: ada.appId, status: 'queued', max_iterations: 3, generation_type: 'new' } })
  t.match(await readGeneration(test.owner, made.generation.id), { user_id: ada.userId, initial_prompt: 'books', idempotency_key: null })
  const another = await as(ada.userId, (trx) => generations.enqueue(trx, requestFor(ada.appId)))
  t.not(another.generation.id, made.generation.id, 'without a key an equal request is a second one')
  await t.rejects(as(ada.userId, (trx) => generations.enqueue(trx, requestFor(grace.appId))), { code: 'app_not_found' })
  await t.rejects(as(ada.userId, (trx) => generations.enqueue(trx, requestFor(ada.appId, { max_iterations: 101 }))), {
    code: 'too_many_iterations',
  })
})

t.test('requests with the same key enqueue one generation', async (t) => {
  const enqueueOnce = (userId: UserId, appId: AppId) =>
    as(userId, (trx) => generations.enqueue(trx, requestFor(appId, { idempotency_key: 'click-1' })))
  const results = await Promise.all([1, 2, 3].map(() => enqueueOnce(ada.userId, ada.appId)))
  t.strictSame(results.map(({ outcome }) => outcome).sort(), ['enqueued', 'repeated', 'repeated'])
  t.equal(new Set(results.map(({ generation }) => generation.id)).size, 1)
  const { id } = results[0]!.generation
  await as(ada.userId, (trx) => generations.cancel(trx, id))
  t.match(await enqueueOnce(ada.userId, ada.appId), { outcome: 'repeated', generation: { id, status: 'cancelled' } }, 'with its current status')
  t.match(await enqueueOnce(grace.userId, grace.appId), { outcome: 'enqueued' }, 'keys of different users are independent')
  await t.rejects(as(ada.userId, (trx) => generations.enqueue(trx, requestFor(ada.appId, { idempotency_key: 'ä' }))), {
    code: 'idempotency_key_form',
  })
})

t.test('a full queue rejects another request', async (t) => {
  const { userId, appId, queue: add } = await newCustomer(test)
  for (let count = 0; count < 20; count += 1) await add({ idempotency_key: `k${count}` })
  await t.rejects(as(userId, (trx) => generations.enqueue(trx, requestFor(appId))), { code: 'queue_full' })
  t.match(await as(userId, (trx) => generations.enqueue(trx, requestFor(appId, { idempotency_key: 'k3' }))), { outcome: 'repeated' })
})

t.test('a user lists and finds their own generations, the newest first, by page', async (t) => {
  const { userId, appId, queue: add } = await newCustomer(test)
  const ids: GenerationId[] = []
  for (let count = 0; count < 5; count += 1) ids.unshift(await add())
  const page = (options: Parameters<typeof generations.list>[1]) =>
    as(userId, (trx) => generations.list(trx, options)).then((page) => ({ ids: page.generations.map(({ id }) => id), next: page.next }))
  t.strictSame(await page({}), { ids, next: null })
  const first = await page({ app_id: appId, limit: 2 })
  t.strictSame(first.ids, ids.slice(0, 2))
  const second = await page({ app_id: appId, limit: 2, cursor: first.next })
  t.strictSame(second.ids, ids.slice(2, 4))
  t.strictSame(await page({ limit: 2, cursor: second.next }), { ids: ids.slice(4), next: null })
  t.strictSame(await page({ app_id: ada.appId }), { ids: [], next: null })
  await t.rejects(page({ limit: 1000 }), { name: 'RangeError' })
  t.equal((await as(ada.userId, (trx) => generations.list(trx))).generations.some(({ id }) => ids.includes(id)), false)

  const id = ids[0]!
  t.match(await as(userId, (trx) => generations.get(trx, id)), { id, app_id: appId, status: 'queued' })
  t.equal(await as(ada.userId, (trx) => generations.find(trx, id)), undefined)
  await t.rejects(as(ada.userId, (trx) => generations.get(trx, id)), { code: 'not_found' })
})

const statuses = ['queued', 'generating', 'paused', 'completed', 'failed', 'cancelled'] as const
const moves = {
  pause: { from: ['queued', 'generating'], to: 'paused' },
  resume: { from: ['paused'], to: 'queued' },
  cancel: { from: ['queued', 'generating', 'paused'], to: 'cancelled' },
  retry: { from: ['failed'], to: 'queued' },
} as const
for (const [move, { from, to }] of Object.entries(moves) as [keyof typeof moves, (typeof moves)['pause' | 'retry']][]) {
  t.test(`${move} changes the permitted statuses, and returns the status that does not permit it`, async (t) => {
    const own = await newCustomer(test)
    for (const status of statuses) {
      const id = await own.queue({ status })
      const isLegal = (from as readonly string[]).includes(status)
      t.match(await as(grace.userId, (trx) => generations[move](trx, id)), { outcome: 'not_found' }, "another user's generation is not found")
      const outcome = isLegal ? { outcome: 'changed', status: to } : { outcome: 'not_allowed', status }
      t.strictSame(await as(own.userId, (trx) => generations[move](trx, id)), outcome, status)
      t.match(await readGeneration(test.owner, id), { status: isLegal ? to : status })
    }
  })
}

t.test('a change of status waits for a worker, and returns the status that it wrote', async (t) => {
  const own = await newCustomer(test)
  await test.owner.query(`update generation_requests set status = 'cancelled' where status in ('queued', 'generating')`)
  const id = await own.queue()
  const held = (await queue.claimOne(workers, { worker: 'w' }))!
  await test.owner.query('begin')
  await test.owner.query(`select private.complete_generation($1, $2)`, [id, held.attempt])
  const pausing = as(own.userId, (trx) => generations.pause(trx, id))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await test.owner.query('commit')
  t.strictSame(await pausing, { outcome: 'not_allowed', status: 'completed' })
})

t.test('a user retries three times', async (t) => {
  const own = await newCustomer(test)
  const id = await own.queue({ status: 'failed', retry_count: 3 })
  await t.rejects(as(own.userId, (trx) => generations.retry(trx, id)), { code: 'retries_used_up' })
})
