import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { isWaiting, outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertPlace, insertProject, insertRow, only } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const userId = await db.signUp()
const auth = await db.login('supabase_auth_admin')
const workers = await Promise.all(Array.from({ length: 12 }, () => db.login(logins.leo_worker)))
const [worker] = workers as [pg.Client]

const allocate = async (client: pg.Client, appId: string, pool?: string, region?: string): Promise<string | null> =>
  only(
    await client.query<{ ref: string | null }>('select private.allocate_supabase_project($1, $2, $3) as ref', [
      ...[appId, pool ?? null, region ?? null],
    ]),
  ).ref
const release = (client: pg.Client, appId: string): Promise<unknown> =>
  client.query('select private.release_supabase_place($1)', [appId])
const deleteApp = (client: pg.Client, appId: string): Promise<unknown> =>
  client.query('delete from apps where id = $1', [appId])

async function insertApps(count: number, ownerId = userId): Promise<string[]> {
  const insert = `
    insert into apps (user_id, app_name) select $1, gen_random_uuid() from generate_series(1, $2) returning id`
  return (await owner.query<{ id: string }>(insert, [ownerId, count])).rows.map(({ id }) => id)
}

async function each<T, R>(values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const value of values) results.push(await work(value))
  return results
}

/** By all workers at once, each of which takes the next value when it is done with one. */
const shared = async <T, R>(values: readonly T[], work: (client: pg.Client, value: T) => Promise<R>): Promise<R[]> => {
  const rest = [...values]
  const byWorker = await Promise.all(
    workers.map(async (client) => {
      const results: R[] = []
      for (let value = rest.pop(); value !== undefined; value = rest.pop()) results.push(await work(client, value))
      return results
    }),
  )
  return byWorker.flat()
}
const readProject = async (ref: string) =>
  only(await owner.query<{ used: number }>('select used from supabase_projects where ref = $1', [ref]))
async function readPlace(appId: string): Promise<Record<string, unknown> | undefined> {
  const select = 'select supabase_project_ref as ref, status from supabase_project_places where app_id = $1'
  return (await owner.query(select, [appId])).rows[0]
}

/** Projects whose count is not that of their places, apps whose project is not that of their place. */
async function miscounts(): Promise<unknown[]> {
  const { rows } = await owner.query(`
    select p.ref, p.used, count(s.app_id)::int as places
    from supabase_projects p left join supabase_project_places s on s.supabase_project_ref = p.ref
    group by p.ref having p.used <> count(s.app_id)
    union all
    select s.supabase_project_ref, 1, 0
    from supabase_project_places s left join apps a on a.id = s.app_id
    where (s.status = 'allocated') <> (a.supabase_project_ref is not distinct from s.supabase_project_ref)`)
  return rows
}

t.test('100 allocations of 10 places at once give out exactly 10', async (t) => {
  for (const capacities of [[10], [7, 3]]) {
    const pool = `race-${capacities.length}`
    const refs = await each(capacities, (capacity) => insertProject(owner, { pool, capacity }))
    const given = await shared(await insertApps(100), (client, app) => allocate(client, app, pool))
    t.equal(given.filter((ref) => ref === null).length, 90, `${capacities.join(' + ')}: 90 find it exhausted`)
    t.strictSame((await each(refs, readProject)).map(({ used }) => used), capacities)
  }
})

t.test('one app that is allocated at once from all sides gets one place', async (t) => {
  const pool = 'once'
  await insertProject(owner, { pool })
  await insertProject(owner, { pool })
  const appId = await insertApp(owner, userId)
  const [first, ...others] = workers as [pg.Client, ...pg.Client[]]
  await first.query('begin')
  const ref = await allocate(first, appId, pool)
  const allocations = others.map((client) => allocate(client, appId, pool))
  for (const [index, client] of others.entries()) await isWaiting(owner, client, allocations[index]!)
  await first.query('commit')
  const given = [ref, ...(await Promise.all(allocations))]
  t.equal(new Set(given).size, 1)
  t.match(await readPlace(appId), { ref: given[0], status: 'allocated' })
  t.equal(await allocate(worker, appId, 'another-pool'), given[0], 'whatever is asked for later')
})

t.test('an app that is deleted while it gets its place gives it back', async (t) => {
  const pool = 'deleted-meanwhile'
  const ref = await insertProject(owner, { pool })
  const appId = await insertApp(owner, userId)
  await worker.query('begin')
  await allocate(worker, appId, pool)
  const deletion = deleteApp(workers[1]!, appId)
  await isWaiting(owner, workers[1]!, deletion)
  await worker.query('commit')
  await deletion
  t.strictSame(await readPlace(appId), { ref, status: 'releasing' })
})

t.test('the least used project of the pool and region is taken, the first by ref among equals', async (t) => {
  const pool = 'spread'
  const refs = [await insertProject(owner, { pool }), await insertProject(owner, { pool })].sort()
  const far = await insertProject(owner, { pool, region: 'us-east-1' })
  const apps = await insertApps(5)
  const given: unknown[] = []
  for (const app of apps.slice(0, 4)) given.push(await allocate(worker, app, pool, 'eu-central-1'))
  t.strictSame(given, [...refs, ...refs])
  t.equal(await allocate(worker, apps[4]!, pool), far, 'any region')
})

t.test('an exhausted pool, one that is not there, and a region without projects give null', async (t) => {
  await insertProject(owner, { pool: 'small', capacity: 1 })
  const [first, second] = (await insertApps(2)) as [string, string]
  t.type(await allocate(worker, first, 'small'), 'string')
  t.equal(await allocate(worker, second, 'small'), null)
  t.equal(await allocate(worker, second, 'nowhere'), null)
  t.equal(await allocate(worker, second, 'small', 'mars-1'), null)
  t.equal(await readPlace(second), undefined)
})

t.test('an app that is not there gets no place', async (t) => {
  await t.rejects(allocate(worker, randomUUID()), { code: 'LEO14', table: 'apps' })
})

t.test('only active projects get new apps, and only empty ones retire', async (t) => {
  const pool = 'drained'
  const ref = await insertProject(owner, { pool })
  const [first, second] = (await insertApps(2)) as [string, string]
  await allocate(worker, first, pool)
  const turn = (status: string) =>
    worker.query('update supabase_projects set status = $2 where ref = $1', [ref, status])
  await turn('draining')
  t.equal(await allocate(worker, second, pool), null)
  await t.rejects(turn('retired'), { code: '23514', constraint: 'supabase_projects_retired_is_empty_check' })
  await deleteApp(owner, first)
  await t.rejects(turn('retired'), { code: '23514' }, 'nor before it is wiped')
  await release(worker, first)
  await t.resolves(turn('retired'))
  t.equal(await allocate(worker, second, pool), null)
  await turn('active')
  t.equal(await allocate(worker, second, pool), ref)
})

t.test('a project that is drained while an allocation waits for it is passed over', async (t) => {
  const pool = 'drained-meanwhile'
  const refs = [await insertProject(owner, { pool }), await insertProject(owner, { pool })].sort()
  const [app] = (await insertApps(1)) as [string]
  await owner.query('begin')
  await owner.query(`update supabase_projects set status = 'draining' where ref = $1`, [refs[0]])
  const allocation = allocate(worker, app, pool)
  await isWaiting(owner, worker, allocation)
  await owner.query('commit')
  t.equal(await allocation, refs[1])
})

t.test('a capacity below what is used is refused', async (t) => {
  const pool = 'shrunk'
  const ref = await insertProject(owner, { pool })
  for (const app of await insertApps(2)) await allocate(worker, app, pool)
  const shrink = (to: number) => worker.query('update supabase_projects set capacity = $2 where ref = $1', [ref, to])
  await t.rejects(shrink(1), { code: '23514', constraint: 'supabase_projects_used_within_capacity_check' })
  await t.resolves(shrink(2))
})

t.test('the place of a deleted app is free only when it is wiped, and once', async (t) => {
  const pool = 'wiped'
  const ref = await insertProject(owner, { pool, capacity: 1 })
  const [first, second] = (await insertApps(2)) as [string, string]
  await allocate(worker, first, pool)
  const notReleasing = { code: 'LEO15', table: 'supabase_project_places' }
  await t.rejects(release(worker, first), notReleasing, 'not while the app lives there')

  await db.as(user(userId), (client) => deleteApp(client, first))
  t.match(await readPlace(first), { status: 'releasing' })
  t.match(await readProject(ref), { used: 1 })
  t.equal(await allocate(worker, second, pool), null)

  const releases = await Promise.all(workers.map((client) => outcomeOf(release(client, first))))
  t.strictSame(releases.map(({ code }) => code).sort(), [...Array.from({ length: 11 }, () => 'LEO15'), 'done'])
  t.match(await readProject(ref), { used: 0 })
  t.equal(await allocate(worker, second, pool), ref)
  await t.rejects(release(worker, first), notReleasing, 'given back twice')
  await t.rejects(release(worker, randomUUID()), notReleasing, 'never taken')
})

t.test('a deleted user leaves places to be wiped', async (t) => {
  const leaver = await db.signUp()
  const apps = await insertApps(3, leaver)
  const refs = await each(apps.slice(0, 2), (app) => insertPlace(owner, app))
  await auth.query('delete from auth.users where id = $1', [leaver])
  t.strictSame(await each(apps, readPlace), [...refs.map((ref) => ({ ref, status: 'releasing' })), undefined])
  for (const app of apps.slice(0, 2)) await release(worker, app)
  t.strictSame(await each(apps, readPlace), [undefined, undefined, undefined])
})

t.test('an app that comes back under its old id waits until the old place is wiped', async (t) => {
  const appId = await insertApp(owner, userId)
  const ref = await insertPlace(owner, appId)
  await deleteApp(owner, appId)
  await db.as(service, (client) => insertRow(client, 'apps', { id: appId, user_id: userId, app_name: 'From a backup' }))
  const taken = { code: '23505', constraint: 'supabase_project_places_pkey' }
  await t.rejects(allocate(worker, appId, `pool-${ref}`), taken)
  await release(worker, appId)
  t.equal(await allocate(worker, appId, `pool-${ref}`), ref)
})

t.test('no service gets past the count', async (t) => {
  const [first, second] = (await insertApps(2)) as [string, string]
  const ref = await insertPlace(owner, first)
  const statements: Readonly<Record<string, string>> = {
    [`update apps set supabase_project_ref = '${ref}' where id = '${second}'`]: '23503',
    [`update apps set supabase_project_ref = null where id = '${first}'`]: 'done',
    [`insert into apps (user_id, app_name, supabase_project_ref) values ('${userId}', 'x', '${ref}')`]: '23503',
    [`update supabase_projects set used = 0 where ref = '${ref}'`]: 'done',
    [`insert into supabase_project_places (app_id, supabase_project_ref) values ('${second}', '${ref}')`]: 'done',
    [`update supabase_project_places set status = 'releasing', releasing_since = now()`]: 'done',
    [`delete from supabase_project_places where app_id = '${second}'`]: 'done',
    [`delete from supabase_projects where ref = '${await insertProject(owner)}'`]: 'done',
  }
  for (const [statement, byOwner] of Object.entries(statements)) {
    for (const persona of [service, user(userId)]) {
      await t.rejects(db.tryAs(persona, (client) => client.query(statement)), { code: '42501' }, statement)
    }
    await t.rejects(worker.query(statement), { code: '42501' }, 'a worker neither')
    t.equal((await rolledBack(owner, () => outcomeOf(owner.query(statement)))).code, byOwner, 'the owner')
  }
  const move = `update apps set id = gen_random_uuid() where id = $1`
  const left = { code: '23503', constraint: 'apps_supabase_project_ref_id_fkey' }
  await t.rejects(db.tryAs(service, (client) => client.query(move, [first])), left, 'nor leaves its place behind')
  await t.resolves(db.tryAs(service, (client) => client.query(move, [second])))
})

t.test('the owner of an app sees which project it uses, and nothing else of the pool', async (t) => {
  const appId = await insertApp(owner, userId)
  const ref = await insertPlace(owner, appId)
  const read = (client: pg.Client) =>
    client.query('select supabase_project_ref as ref from apps where id = $1', [appId])
  t.strictSame((await db.as(user(userId), read)).rows, [{ ref }])
  t.strictSame((await db.as(user(await db.signUp()), read)).rows, [])
  for (const table of ['supabase_projects', 'supabase_project_places']) {
    const look = (client: pg.Client) => client.query(`select from ${table}`)
    await t.rejects(db.as(user(userId), look), { code: '42501' }, table)
    t.not((await db.as(service, look)).rowCount, 0, `${table}, which has rows`)
  }
})

t.test('nobody but workers takes or frees a place', async (t) => {
  const appId = await insertApp(owner, userId)
  for (const persona of [user(userId), service, { role: 'anon' } as const]) {
    await t.rejects(db.as(persona, (client) => allocate(client, appId)), { code: '42501' }, persona.role)
    await t.rejects(db.as(persona, (client) => release(client, appId)), { code: '42501' }, persona.role)
  }
  await t.resolves(allocate(worker, appId))
})

t.test('whatever is taken, deleted and freed at once, every place is counted', async (t) => {
  const pool = 'storm'
  const refs = await each([2, 3, 4], (capacity) => insertProject(owner, { pool, capacity }))
  const apps = await insertApps(40)
  const outcomes = new Map<string, number>()
  const steps = [
    (client: pg.Client, app: string) => allocate(client, app, pool),
    (client: pg.Client, app: string) => allocate(client, app, pool),
    (client: pg.Client, app: string) => release(client, app),
    (client: pg.Client, app: string) => deleteApp(client, app),
    async (client: pg.Client, app: string) => {
      await deleteApp(client, app)
      return release(client, app)
    },
    (client: pg.Client) =>
      client.query(`update supabase_projects set status = $2 where ref = $1`, [any(refs), any(['active', 'draining'])]),
    (client: pg.Client) =>
      client.query(`update supabase_projects set capacity = 1 + (random() * 5)::int where ref = $1`, [any(refs)]),
  ]
  await Promise.all(
    workers.map(async (client) => {
      for (let step = 0; step < 40; step += 1) {
        const { code } = await outcomeOf(any(steps)(client, any(apps)))
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      }
    }),
  )
  t.strictSame([...outcomes.keys()].filter((code) => !['done', 'LEO14', 'LEO15', '23514'].includes(code)), [])
  t.strictSame(await miscounts(), [])
  t.ok(outcomes.get('done')! > 100 && outcomes.has('LEO15'), 'much of it was done', { outcomes: [...outcomes] })
})

t.test('a count that is wrong is noticed', async (t) => {
  t.strictSame(await miscounts(), [], 'none is, after all of this')
  const ref = await insertPlace(owner, await insertApp(owner, userId))
  await owner.query('update supabase_projects set used = 2 where ref = $1', [ref])
  t.strictSame(await miscounts(), [{ ref, used: 2, places: 1 }])
  await owner.query('update supabase_projects set used = 1 where ref = $1', [ref])
})

function any<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)]!
}
