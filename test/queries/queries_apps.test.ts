import { randomUUID } from 'node:crypto'
import t from 'tap'
import { apps, asUser, parseAppId, parseUserId } from '../../db/index.ts'
import type { Page, UserTransaction } from '../../db/index.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertApp, insertRequest } from '../fixtures/rows.ts'

const test = await createMigratedDatabase(t)
const { db } = createClients(t, test)
const signUp = async () => parseUserId(await test.signUp())
const ada = await signUp()
const grace = await signUp()
const unknownId = parseAppId(randomUUID())

const as = <T>(userId: typeof ada, work: (trx: UserTransaction) => Promise<T>) => asUser(db, userId, work)
const nameOf = async (id: string) =>
  (await test.owner.query('select app_name from apps where id = $1', [id])).rows[0]?.app_name

t.test('an app is created once per name, and a taken name does not abort the transaction', async (t) => {
  const made = await as(ada, (trx) => apps.create(trx, { app_name: 'Books' }))
  t.match(made, { outcome: 'created', app: { app_name: 'Books', supabase_project_ref: null, created_at: Date } })
  const both = await as(ada, async (trx) => [
    await apps.create(trx, { app_name: 'Books' }),
    await apps.create(trx, { app_name: 'Films' }),
  ])
  t.match(both, [{ outcome: 'name_taken' }, { outcome: 'created' }])
  t.match(
    await as(grace, (trx) => apps.create(trx, { app_name: 'Books' })),
    { outcome: 'created' },
    'names of different users are independent',
  )
})

t.test('concurrent calls with one name create one app', async (t) => {
  const racing = () => as(ada, (trx) => apps.create(trx, { app_name: 'Race' }))
  const outcomes = (await Promise.all([racing(), racing(), racing()])).map(({ outcome }) => outcome)
  t.strictSame(outcomes.sort(), ['created', 'name_taken', 'name_taken'])
})

t.test('a name that the database rejects is a ConstraintError', async (t) => {
  await t.rejects(
    as(ada, (trx) => apps.create(trx, { app_name: ' ' })),
    { name: 'ConstraintError', code: 'app_name_blank' },
  )
  await t.rejects(
    as(ada, (trx) => apps.create(trx, { app_name: 'x'.repeat(121) })),
    { code: 'app_name_too_long' },
  )
  const id = parseAppId(await insertApp(test.owner, ada))
  await t.rejects(
    as(ada, (trx) => apps.rename(trx, id, '\u200b')),
    { code: 'app_name_blank' },
  )
})

t.test(
  "an app is renamed unless the name is taken or the app is another user's; the transaction is not aborted",
  async (t) => {
    const id = parseAppId(await insertApp(test.owner, ada, 'Old'))
    await insertApp(test.owner, ada, 'Taken')
    const outcomes = await as(ada, async (trx) => [
      await apps.rename(trx, id, 'Taken'),
      await apps.rename(trx, unknownId, 'New'),
      await apps.rename(trx, id, 'Old'),
      await apps.rename(trx, id, 'New'),
    ])
    t.match(outcomes, [
      { outcome: 'name_taken' },
      { outcome: 'not_found' },
      { outcome: 'renamed', app: { id, app_name: 'Old' } },
      { outcome: 'renamed', app: { id, app_name: 'New' } },
    ])
    t.equal(await nameOf(id), 'New')
    t.strictSame(await as(grace, (trx) => apps.rename(trx, id, 'Mine')), { outcome: 'not_found' })
    t.equal(await nameOf(id), 'New')
  },
)

t.test('a concurrent transaction that takes the name makes rename return name_taken', async (t) => {
  const id = parseAppId(await insertApp(test.owner, ada, 'Slow'))
  let renamed: Promise<unknown> | undefined
  await as(ada, async (first) => {
    await apps.create(first, { app_name: 'Contested' })
    renamed = as(ada, async (second) => [
      await apps.rename(second, id, 'Contested'),
      await apps.rename(second, id, 'Settled'),
    ])
    const waits = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    while ((await test.owner.query(waits)).rowCount === 0);
  })
  t.match(await renamed, [{ outcome: 'name_taken' }, { outcome: 'renamed' }])
  t.equal(await nameOf(id), 'Settled')
})

t.test('paging neither skips nor repeats apps whose times differ by microseconds', async (t) => {
  const lovelace = await signUp()
  const made = await test.owner.query<{ id: string }>(
    `insert into apps (user_id, app_name, created_at)
     select $1, 'App ' || n, timestamptz '2026-01-01' + n / 3 * interval '1 microsecond'
     from generate_series(1, 25) as n returning id`,
    [lovelace],
  )
  const ids: string[] = []
  const sizes: number[] = []
  let cursor: Page['cursor']
  do {
    const page = await as(lovelace, (trx) => apps.list(trx, { limit: 4, cursor }))
    ids.push(...page.apps.map(({ id }) => id))
    sizes.push(page.apps.length)
    cursor = page.next
    // The row of the cursor may be deleted before the next page is read.
    if (ids.length === 8) await test.owner.query('delete from apps where id = $1', [ids.at(-1)])
  } while (cursor !== null)
  const expected = await test.owner.query<{ id: string }>(
    'select id from apps where user_id = $1 order by created_at desc, id desc',
    [lovelace],
  )
  t.strictSame(
    ids.filter((_, at) => at !== 7),
    expected.rows.map(({ id }) => id),
  )
  t.equal(new Set(ids).size, made.rowCount)
  t.strictSame(sizes, [4, 4, 4, 4, 4, 4, 1])
  t.strictSame(Object.keys((await as(lovelace, (trx) => apps.list(trx, { limit: 1 }))).apps[0]!), [
    'id',
    'app_name',
    'created_at',
    'supabase_project_ref',
  ])
})

t.test('next is null after a full last page, and for a user without apps', async (t) => {
  const hopper = await signUp()
  t.strictSame(await as(hopper, (trx) => apps.list(trx)), { apps: [], next: null })
  for (let n = 0; n < 2; n += 1) await insertApp(test.owner, hopper)
  t.match(await as(hopper, (trx) => apps.list(trx, { limit: 2 })), { apps: { length: 2 }, next: null })
  t.match(await as(hopper, (trx) => apps.list(trx, { limit: 1 })), { apps: { length: 1 }, next: String })
})

t.test('a limit out of range and a foreign cursor are rejected before any query', async (t) => {
  await as(ada, async (trx) => {
    for (const limit of [0, 101, -1, 1.5, Number.NaN])
      await t.rejects(apps.list(trx, { limit }), { name: 'RangeError' })
    const made = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url')
    const time = '1767225600000000'
    const others = [
      '',
      'x',
      '💥',
      made(null),
      made(['apps']),
      made(['events', '7']),
      made(['apps', time, 'x']),
      made(['apps', 7, unknownId]),
    ]
    for (const cursor of [...others, made(['apps', time, unknownId, 'more']), made(['apps', '9'.repeat(17), unknownId])]) {
      await t.rejects(apps.list(trx, { cursor }), { name: 'InvalidCursorError', code: 'invalid_cursor' }, cursor)
    }
    await t.resolves(apps.list(trx, { cursor: made(['apps', time, unknownId]) }))
    await t.resolves(apps.list(trx, { cursor: made(['apps', '-' + '9'.repeat(16), unknownId]) }))
  })
})

t.test('an app is found with its last enqueued generation', async (t) => {
  const id = parseAppId(await insertApp(test.owner, ada, 'Found'))
  const bare = { id, app_name: 'Found', supabase_project_ref: null, latest_generation: null }
  t.match(await as(ada, (trx) => apps.find(trx, id)), bare)
  await insertRequest(test.owner, ada, id)
  const latest = await insertRequest(test.owner, ada, id, { prompt: 'a list of films' })
  t.match(await as(ada, (trx) => apps.get(trx, id)), {
    ...bare,
    created_at: Date,
    latest_generation: {
      id: latest,
      prompt: 'a list of films',
      status: 'queued',
      created_at: Date,
      completed_at: null,
    },
  })
  t.equal(await as(grace, (trx) => apps.find(trx, id)), undefined)
  await t.rejects(
    as(grace, (trx) => apps.get(trx, id)),
    { name: 'NotFoundError', code: 'not_found' },
  )
})

t.test('a user deletes their own apps only', async (t) => {
  const id = parseAppId(await insertApp(test.owner, ada, 'Gone'))
  t.strictSame(await as(grace, (trx) => apps.delete(trx, id)), { outcome: 'not_found' })
  t.equal(await nameOf(id), 'Gone')
  t.strictSame(await as(ada, (trx) => apps.delete(trx, id)), { outcome: 'deleted' })
  t.strictSame(await as(ada, (trx) => apps.delete(trx, id)), { outcome: 'not_found' })
})
