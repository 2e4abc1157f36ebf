import t from 'tap'
import type pg from 'pg'
import { nested } from './fixtures/constraints/rule.ts'
import { assume, createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { errorOf, errorContains } from '../fixtures/leaks.ts'
import { insertProfile, only } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'
import { timeLimit } from '../fixtures/until.ts'

const db = await createMigratedDatabase(t)
const ownId = await db.signUp()
const otherId = await db.signUp()
await insertProfile(db.owner, otherId)

const read = async (userId: string): Promise<Record<string, unknown>> =>
  only(await db.owner.query<Record<string, unknown>>('select * from user_profiles where user_id = $1', [userId]))
const patch = (client: pg.Client, userId: string, preferences: unknown): Promise<pg.QueryResult> =>
  client.query('update user_profiles set preferences = $2 where user_id = $1', [userId, JSON.stringify(preferences)])
const resetProfile = async (preferences: unknown): Promise<void> => {
  await db.owner.query('delete from user_profiles where user_id = $1', [ownId])
  await insertProfile(db.owner, ownId, { preferences: JSON.stringify(preferences) })
}

t.test('a user creates, reads and changes their own profile', async (t) => {
  await db.as(user(ownId), (client) =>
    client.query(`insert into user_profiles (user_id, display_name) values ($1, 'Ada')`, [ownId]),
  )
  const change = `update user_profiles set display_name = 'Countess', avatar_url = 'https://example.com/a.png'`
  t.equal((await db.as(user(ownId), (client) => client.query(change))).rowCount, 1)
  const seen = await db.as(user(ownId), (client) => client.query('select * from user_profiles'))
  const changed = { display_name: 'Countess', avatar_url: 'https://example.com/a.png' }
  t.match(seen.rows, [{ user_id: ownId, ...changed, preferences: {} }])
  t.equal(seen.rowCount, 1)
  t.match(await read(otherId), { display_name: 'Ada', avatar_url: null })
})

t.test("a user cannot create or take over another user's profile, or delete a profile", async (t) => {
  const newId = await db.signUp()
  const denied = { code: '42501' }
  await t.rejects(db.as(user(ownId), (client) => insertProfile(client, newId)), denied)
  await t.resolves(db.tryAs(user(newId), (client) => insertProfile(client, newId)), 'the other user can')
  const takeOver = 'update user_profiles set user_id = $1'
  await t.rejects(db.as(user(ownId), (client) => client.query(takeOver, [newId])), denied)
  await t.rejects(db.as(user(ownId), (client) => client.query('delete from user_profiles')), denied)
  const removed = await db.tryAs(service, (client) => client.query('delete from user_profiles'))
  t.equal(removed.rowCount, 2, 'a service can delete profiles')
})

/** The examples of RFC 7396, appendix A, as members of the preferences, and further cases. */
const merges: readonly (readonly [old: object, patch: object, merged: object])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  [{ a: 'foo' }, { a: { b: 1, c: null } }, { a: { b: 1 } }],
  [{ a: { b: 1 } }, {}, { a: { b: 1 } }],
  [{ a: { b: 1 } }, { a: {} }, { a: { b: 1 } }],
  [{ a: 1 }, { a: [{ b: null }] }, { a: [{ b: null }] }],
  [{ '': 1, 'a.b': 2 }, { '': null, $: 3 }, { 'a.b': 2, $: 3 }],
]

t.test('an update of preferences is a merge patch of the stored preferences', async (t) => {
  for (const [old, change, merged] of merges) {
    await resetProfile(old)
    t.equal((await db.as(user(ownId), (client) => patch(client, ownId, change))).rowCount, 1)
    t.strictSame((await read(ownId))['preferences'], merged, `${JSON.stringify(old)} + ${JSON.stringify(change)}`)
  }
})

/** An upsert as the Data API writes it: it sets the key too. */
const upsert = `
  insert into user_profiles (user_id, preferences) values ($1, $2)
  on conflict (user_id) do update set user_id = excluded.user_id, preferences = excluded.preferences`

t.test('an upsert and an update by a service are merge patches too', async (t) => {
  const save = (preferences: object) => (client: pg.Client) => client.query(upsert, [ownId, preferences])
  await db.owner.query('delete from user_profiles where user_id = $1', [ownId])
  await db.as(user(ownId), save({ theme: 'dark', editor: { wrap: true } }))
  t.strictSame((await read(ownId))['preferences'], { theme: 'dark', editor: { wrap: true } }, 'the first one inserts')
  await db.as(user(ownId), save({ theme: null, editor: { size: 14 } }))
  t.strictSame((await read(ownId))['preferences'], { editor: { wrap: true, size: 14 } })
  await db.as(service, (client) => patch(client, ownId, { editor: null }))
  t.strictSame((await read(ownId))['preferences'], {})
})

t.test("a user cannot upsert another user's profile, whether it exists or not", async (t) => {
  for (const userId of [otherId, await db.signUp()]) {
    const write = (client: pg.Client) => client.query(upsert, [userId, { theme: 'light' }])
    await t.rejects(db.as(user(ownId), write), { code: '42501' })
    await t.resolves(db.tryAs(user(userId), write), 'the other user can')
  }
})

t.test('an update of another column does not change the preferences', async (t) => {
  await resetProfile({ kept: null })
  await db.as(user(ownId), (client) => client.query('update user_profiles set display_name = null'))
  t.strictSame((await read(ownId))['preferences'], { kept: null })
})

t.test('concurrent patches are both applied', async (t) => {
  await resetProfile({})
  const [first, second] = [await db.login(logins.leo_worker), await db.login(logins.leo_worker)]
  await first.query('begin')
  await patch(first, ownId, { a: 1 })
  const waiting = patch(second, ownId, { b: 2 })
  await first.query('commit')
  await waiting
  t.strictSame((await read(ownId))['preferences'], { a: 1, b: 2 })
})

t.test('the limits apply to the merged preferences, not to the patch', async (t) => {
  const half = { a: 'x'.repeat(9000) }
  const refused = { code: '23514', constraint: 'user_profiles_preferences_at_most_16_kib_check' }
  const save = (preferences: unknown) => db.as(user(ownId), (client) => patch(client, ownId, preferences))

  await resetProfile(half)
  await t.rejects(save({ b: 'x'.repeat(9000) }), refused)
  await t.resolves(save({ a: null, b: 'x'.repeat(9000) }), 'a patch that also removes a member')

  const members = Array.from({ length: 1400 }, (_, index) => [`${index}`.padStart(4), 1] as const)
  await resetProfile(Object.fromEntries(members))
  const removal = Object.fromEntries(members.map(([key]) => [key, null]))
  t.ok(JSON.stringify(removal).length > 16_384)
  await t.resolves(save(removal), 'a patch above the limit whose result is below it')
  t.strictSame((await read(ownId))['preferences'], {})

  const deep = { code: '23514', constraint: 'user_profiles_preferences_at_most_32_levels_check' }
  await t.resolves(save(nested(32)))
  for (const levels of [33, 34, 2000]) {
    await t.rejects(save(nested(levels)), deep, `${levels} levels`)
    await t.rejects(save(nested(levels, null)), deep, `${levels} levels that remove a member`)
  }
  for (const preferences of [[], 'x', 1, null]) {
    await t.rejects(save(preferences), { code: '23514', constraint: 'user_profiles_preferences_is_object_check' })
  }
  t.strictSame((await read(ownId))['preferences'], nested(32))
})

t.test('10 MB are rejected within 5 s, and the error does not contain them', async (t) => {
  const secret = 'not_for_the_log'
  const huge = {
    'one value': { a: `${'x'.repeat(10_000_000)}${secret}` },
    'many members': Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, 'x'.repeat(90)])),
  }
  await resetProfile({ theme: 'dark' })
  for (const [title, preferences] of Object.entries(huge)) {
    const isTooLate = timeLimit(5000)
    const error = await errorOf(db.as(user(ownId), (client) => patch(client, ownId, preferences)))
    t.match(error, { code: '23514', constraint: 'user_profiles_preferences_at_most_16_kib_check' }, title)
    t.ok(JSON.stringify(error).length < 2000, 'the error is short')
    if (title === 'one value') t.notOk(errorContains(error, secret))
    t.notOk(isTooLate(), `${title}: at once`)
  }
  t.strictSame((await read(ownId))['preferences'], { theme: 'dark' })
})

t.test('updated_at is the time of the change', async (t) => {
  await resetProfile({})
  const { created_at } = await read(ownId)
  await db.as(user(ownId), (client) => client.query('update user_profiles set display_name = null'))
  const { updated_at } = await read(ownId)
  t.ok((updated_at as Date) > (created_at as Date))
})

t.test('a user without a profile reads no row and gets no error', async (t) => {
  const newId = await db.signUp()
  await db.owner.query('begin')
  await assume(db.owner, user(newId))
  t.equal((await db.owner.query('select preferences from user_profiles')).rowCount, 0)
  await db.owner.query('rollback')
})
