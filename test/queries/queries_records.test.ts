import t from 'tap'
import { activity, asUser, costs, events, parseAppId, parseGenerationId, parseUserId, profiles } from '../../db/index.ts'
import type { Page, UserId } from '../../db/index.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertApp, insertRequest } from '../fixtures/rows.ts'

const test = await createMigratedDatabase(t)
const { db, serviceDb } = createClients(t, test)
const signUp = async () => parseUserId(await test.signUp())
const newGeneration = async (userId: UserId, columns = {}) => {
  const appId = parseAppId(await insertApp(test.owner, userId))
  return { appId, generationId: parseGenerationId(await insertRequest(test.owner, userId, appId, columns)) }
}
const ada = await signUp()
const grace = await signUp()

/** All rows of a list, read in pages. */
async function all<R>(read: (page: Page) => Promise<{ rows: R[]; next: string | null }>, limit = 2): Promise<R[]> {
  const found: R[] = []
  for (let page = await read({ limit }); ; page = await read({ limit, cursor: page.next })) {
    found.push(...page.rows)
    if (page.next === null || found.length > 100) return found
  }
}

t.test('profiles: a missing row reads as defaults', async (t) => {
  const defaults = { display_name: null, avatar_url: null, preferences: {}, created_at: null, updated_at: null }
  t.strictSame(await asUser(db, ada, (trx) => profiles.get(trx, ada)), { user_id: ada, ...defaults })
  t.strictSame(await profiles.get(serviceDb, grace), { user_id: grace, ...defaults })
})

t.test('profiles: a patch has the same result in an insert and an update', async (t) => {
  const patch = {
    preferences: {
      theme: 'dark',
      beta: null,
      editor: { tabs: 2, font: null, deep: { gone: null } },
      list: [null, { kept: null }],
    },
  }
  const merged = { theme: 'dark', editor: { tabs: 2, deep: {} }, list: [null, { kept: null }] }
  const made = await asUser(db, ada, (trx) => profiles.update(trx, ada, patch))
  t.match(made, { user_id: ada, display_name: null, created_at: Date })
  t.strictSame(made.preferences, merged)
  t.strictSame(
    (await asUser(db, ada, (trx) => profiles.update(trx, ada, patch))).preferences,
    merged,
    'merged into the saved preferences',
  )
  const emptied = { preferences: { editor: { tabs: null }, theme: null, list: ['new'] }, display_name: 'Ada' }
  const after = await asUser(db, ada, (trx) => profiles.update(trx, ada, emptied))
  t.strictSame(after.preferences, { editor: { deep: {} }, list: ['new'] })
  t.strictSame(
    { ...(await profiles.update(serviceDb, ada, {})), updated_at: null },
    { ...after, updated_at: null },
    'an empty patch changes nothing',
  )
  t.strictSame((await profiles.update(serviceDb, ada, { display_name: null })).display_name, null)
})

t.test('profiles: a member named __proto__ is kept', async (t) => {
  const preferences = JSON.parse('{"__proto__": {"a": 1}, "toString": "x"}')
  const { preferences: kept } = await profiles.update(serviceDb, grace, { preferences })
  t.equal(JSON.stringify(Object.entries(kept).sort()), '[["__proto__",{"a":1}],["toString","x"]]')
})

t.test("profiles: a user cannot change another user's profile, and a violated constraint is a ConstraintError", async (t) => {
  await t.rejects(
    asUser(db, ada, (trx) => profiles.update(trx, grace, { display_name: 'Ada' })),
    { code: 'access_denied' },
  )
  t.match(await asUser(db, ada, (trx) => profiles.get(trx, grace)), { created_at: null }, 'and cannot read it')
  await t.rejects(profiles.update(serviceDb, ada, { avatar_url: 'http://x' }), { code: 'avatar_url_not_https' })
  const nested = (levels: number): object => (levels === 0 ? {} : { nested: nested(levels - 1) })
  await t.rejects(profiles.update(serviceDb, ada, { preferences: { ...nested(33) } }), { code: 'preferences_too_deep' })
  await t.rejects(profiles.update(serviceDb, ada, { preferences: { ...nested(2000) } }), {
    code: 'preferences_too_long',
  })
  t.match(await profiles.update(serviceDb, ada, { preferences: { ...nested(32) } }), {
    preferences: { nested: { nested: {} } },
  })
})

t.test('costs: concurrent inserts with one key insert one entry, and abort no transaction', async (t) => {
  const { appId, generationId } = await newGeneration(ada)
  const cost: costs.NewCost = {
    user_id: ada,
    generation_request_id: generationId,
    iteration_number: 1,
    kind: 'tokens',
    model: 'm',
    input_tokens: 900_000_000_000n,
    cost_micros: 999_999_999_999n,
    idempotency_key: 'once',
  }
  const outcomes = await Promise.all([1, 2, 3].map(() => costs.insert(serviceDb, cost)))
  t.strictSame(outcomes.map(({ outcome }) => outcome).sort(), ['inserted', 'repeated', 'repeated'])
  t.match(
    await costs.insert(serviceDb, { ...cost, user_id: grace, generation_request_id: null, iteration_number: null }),
    { outcome: 'inserted' },
  )
  const { entries } = await asUser(db, ada, (trx) => costs.listEntries(trx, { user_id: ada }))
  t.match(entries, [
    {
      app_id: appId,
      input_tokens: 900_000_000_000n,
      output_tokens: 0n,
      cost_micros: 999_999_999_999n,
      created_at: Date,
    },
  ])
  t.equal(entries.length, 1)
  t.strictSame(await asUser(db, grace, (trx) => costs.listEntries(trx, { user_id: ada })), { entries: [], next: null })
})

t.test('costs: a correction has the app, generation, iteration and kind of the corrected entry', async (t) => {
  const user_id = await signUp()
  const { appId, generationId } = await newGeneration(user_id)
  const entry = {
    user_id,
    generation_request_id: generationId,
    iteration_number: 2,
    kind: 'compute',
    compute_ms: 70n,
  } as const
  const made = await costs.insert(serviceDb, { ...entry, cost_micros: 500n, idempotency_key: 'a' })
  if (made.outcome !== 'inserted') return t.fail(made.outcome)
  const correction = { user_id, corrects_id: made.id, cost_micros: -200n, idempotency_key: 'b' }
  t.match(await costs.correct(serviceDb, correction), { outcome: 'inserted' })
  t.strictSame(await costs.correct(serviceDb, correction), { outcome: 'repeated' })
  const entries = await all(
    (page) => costs.listEntries(serviceDb, { user_id, ...page }).then(({ entries, next }) => ({ rows: entries, next })),
    1,
  )
  t.match(entries, [
    { corrects_id: made.id, kind: 'compute', app_id: appId, iteration_number: 2, cost_micros: -200n },
    { corrects_id: null, cost_micros: 500n },
  ])
  t.match(await costs.sumOfUser(serviceDb, user_id), { entries: 2n, cost_micros: 300n, compute_ms: 70n })
  await t.rejects(costs.correct(serviceDb, { ...correction, user_id: grace }), { code: 'corrected_cost_not_found' })
  await t.rejects(costs.insert(serviceDb, { ...entry, cost_micros: -1n, idempotency_key: 'c' }), {
    code: 'negative_cost',
  })
  await t.rejects(costs.insert(serviceDb, { ...entry, iteration_number: 1000, idempotency_key: 'd' }), {
    name: 'RuleError',
    code: 'unknown_iteration',
  })
})

t.test('costs: sums by month, app, generation and user equal the sum of the ledger', async (t) => {
  const user_id = await signUp()
  const [one, two] = [await newGeneration(user_id), await newGeneration(user_id)]
  const insert = (cost: Partial<costs.NewCost>) =>
    costs.insert(serviceDb, { user_id, kind: 'other', idempotency_key: `${Math.random()}`, ...cost })
  await insert({ generation_request_id: one.generationId, cost_micros: 1n, created_at: '2026-01-31T23:59:59Z' })
  await insert({ generation_request_id: one.generationId, cost_micros: 2n, created_at: '2026-02-01T00:00:00Z' })
  await insert({ generation_request_id: two.generationId, cost_micros: 4n, created_at: '2026-03-01T00:00:00Z' })
  await insert({ app_id: two.appId, cost_micros: 8n, created_at: '2026-03-01T00:00:00Z' })
  await insert({ cost_micros: 16n, created_at: '2026-04-01T00:00:00Z' })

  for (const limit of [1, 2, 100]) {
    const months = await all(
      (page) => costs.sumByMonth(serviceDb, { user_id, ...page }).then(({ months, next }) => ({ rows: months, next })),
      limit,
    )
    t.strictSame(
      months.map(({ month, cost_micros }) => [month.toISOString().slice(0, 7), cost_micros]),
      [
        ['2026-04', 16n],
        ['2026-03', 12n],
        ['2026-02', 2n],
        ['2026-01', 1n],
      ],
    )
    const apps = await all(
      (page) => costs.sumByApp(serviceDb, { user_id, ...page }).then(({ apps, next }) => ({ rows: apps, next })),
      limit,
    )
    const sorted = [one, two].sort((a, b) => (a.appId < b.appId ? -1 : 1))
    t.strictSame(
      apps.map(({ app_id, cost_micros }) => [app_id, cost_micros]),
      [...sorted.map(({ appId }) => [appId, appId === one.appId ? 3n : 12n]), [null, 16n]],
    )
    const generations = await all(
      (page) =>
        costs
          .sumByGeneration(serviceDb, { user_id, ...page })
          .then(({ generations, next }) => ({ rows: generations, next })),
      limit,
    )
    t.strictSame(
      generations.map(({ generation_request_id, app_id, cost_micros }) => [generation_request_id, app_id, cost_micros]),
      [
        [two.generationId, two.appId, 4n],
        [one.generationId, one.appId, 3n],
        [null, null, 16n],
        [null, two.appId, 8n],
      ],
    )
  }
  const generation = { user_id, generation_request_id: one.generationId }
  t.match(await asUser(db, user_id, (trx) => costs.findSumOfGeneration(trx, generation)), {
    source: 'ledger',
    entries: 2n,
    cost_micros: 3n,
  })
  t.equal(await asUser(db, ada, (trx) => costs.findSumOfGeneration(trx, generation)), undefined)
  t.match(await asUser(db, user_id, (trx) => costs.sumOfUser(trx, user_id)), { entries: 5n, cost_micros: 31n })
  t.match(await asUser(db, ada, (trx) => costs.sumOfUser(trx, user_id)), { entries: 0n, cost_micros: 0n })
})

t.test('events: a generation is listed in order, a user newest first', async (t) => {
  const user_id = await signUp()
  const [one, two] = [await newGeneration(user_id), await newGeneration(user_id)]
  for (const status of ['paused', 'queued', 'cancelled']) {
    await asUser(db, user_id, (trx) =>
      trx
        .updateTable('generation_requests')
        .set({ status: status as 'paused' })
        .where('id', '=', one.generationId)
        .execute(),
    )
  }
  const timeline = await all((page) =>
    asUser(db, user_id, (trx) =>
      events.listOfGeneration(trx, { user_id, generation_request_id: one.generationId, ...page }),
    ).then(({ events, next }) => ({ rows: events, next })),
  )
  t.strictSame(
    timeline.map(({ from_status, to_status }) => [from_status, to_status]),
    [
      [null, 'queued'],
      ['queued', 'paused'],
      ['paused', 'queued'],
      ['queued', 'cancelled'],
    ],
  )
  t.match(timeline[1], { actor: 'user', acting_user_id: user_id, iteration_number: 0, created_at: Date })
  const newest = await all(
    (page) => events.list(serviceDb, { user_id, ...page }).then(({ events, next }) => ({ rows: events, next })),
    3,
  )
  t.strictSame(
    newest.map(({ generation_request_id, to_status }) => [generation_request_id, to_status]),
    [
      [one.generationId, 'cancelled'],
      [one.generationId, 'queued'],
      [one.generationId, 'paused'],
      [two.generationId, 'queued'],
      [one.generationId, 'queued'],
    ],
  )
  t.strictSame(await asUser(db, ada, (trx) => events.list(trx, { user_id })), { events: [], next: null })
  const cursor = (await events.list(serviceDb, { user_id, limit: 1 })).next
  await t.rejects(events.listOfGeneration(serviceDb, { user_id, generation_request_id: one.generationId, cursor }), {
    code: 'invalid_cursor',
  })
})

t.test('activity: a user reads their own entries, the newest first; a service inserts some', async (t) => {
  const user_id = await signUp()
  const appId = parseAppId(await insertApp(test.owner, user_id))
  for (let n = 0; n < 4; n += 1) {
    const entry = { user_id, object_type: 'app', object_id: appId, action: 'rename', detail: { n }, ip: '10.0.0.1' }
    t.match(await activity.insert(serviceDb, entry), { id: /^\d+$/ })
  }
  const read = (page: Page) => asUser(db, user_id, (trx) => activity.list(trx, { user_id, ...page }))
  const mine = await all((page) => read(page).then(({ activities, next }) => ({ rows: activities, next })))
  t.match(mine, [
    { detail: { n: 3 } },
    { detail: { n: 2 } },
    { detail: { n: 1 } },
    { detail: { n: 0 }, ip: '10.0.0.1' },
    { action: 'create' },
  ])
  t.notOk('micros' in mine[0]!)
  t.strictSame(await asUser(db, ada, (trx) => activity.list(trx, { user_id })), { activities: [], next: null })
  await t.rejects(activity.insert(serviceDb, { user_id, object_type: 'app', object_id: appId, action: 'eat' }), {
    code: 'action_unknown',
  })
})
