import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { waitUntilBlocked, outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertAllocation, insertProject, insertRow, only } from '../fixtures/rows.ts'
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

/** Runs `work` for each value. All workers run concurrently, and each takes the next value when it is ready. */
const eachByWorkers = async <T, R>(values: readonly T[], work: (client: pg.Client, value: T) => Promise<R>): Promise<R[]> => {
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
async function readAllocation(appId: string): Promise<Record<string, unknown> | undefined> {
  const select = 'select supabase_project_ref as ref, status from supabase_project_places where app_id = $1'
  return (await owner.query(select, [appId])).rows[0]
}

/** Projects whose `used` is not their number of allocations, and allocations whose app has another project. */
async function findMiscounts(): Promise<unknown[]> {
  const { rows } = await owner.query(`
    select p.ref, p.used, count(s.app_id)::int as allocations
    from supabase_projects p left join supabase_project_places s on s.supabase_project_ref = p.ref
    group by p.ref having p.used <> count(s.app_id)
    union all
    select s.supabase_project_ref, 1, 0
    from supabase_project_places s left join apps a on a.id = s.app_id
    where (s.status = 'allocated') <> (a.supabase_project_ref is not distinct from s.supabase_project_ref)`)
  return rows
}

t.test('of 100 concurrent allocations in a pool with capacity 10, exactly 10 succeed', async (t) => {
  for (const capacities of [[10], [7, 3]]) {
    const pool = `race-${capacities.length}`
    const refs = await each(capacities, (capacity) => insertProject(owner, { pool, capacity }))
    const given = await eachByWorkers(await insertApps(100), (client, app) => allocate(client, app, pool))
    t.equal(given.filter((ref) => ref === null).length, 90, `${capacities.join(' + ')}: 90 get no project`)
    t.strictSame((await each(refs, readProject)).map(({ used }) => used), capacities)
  }
})

t.test('concurrent allocations for the same app give it one project', async (t) => {
  const pool = 'once'
  await insertProject(owner, { pool })
  await insertProject(owner, { pool })
  const appId = await insertApp(owner, userId)
  const [first, ...others] = workers as [pg.Client, ...pg.Client[]]
  await first.query('begin')
  const ref = await allocate(first, appId, pool)
  const allocations = others.map((client) => allocate(client, appId, pool))
  for (const [index, client] of others.entries()) await waitUntilBlocked(owner, client, allocations[index]!)
  await first.query('commit')
  const given = [ref, ...(await Promise.all(allocations))]
  t.equal(new Set(given).size, 1)
  t.match(await readAllocation(appId), { ref: given[0], status: 'allocated' })
  t.equal(await allocate(worker, appId, 'another-pool'), given[0], 'a later call for another pool returns the same project')
})

t.test('an app that is deleted during its allocation releases the allocation', async (t) => {
  const pool = 'deleted-concurrently'
  const ref = await insertProject(owner, { pool })
  const appId = await insertApp(owner, userId)
  await worker.query('begin')
  await allocate(worker, appId, pool)
  const deletion = deleteApp(workers[1]!, appId)
  await waitUntilBlocked(owner, workers[1]!, deletion)
  await worker.query('commit')
  await deletion
  t.strictSame(await readAllocation(appId), { ref, status: 'releasing' })
})

t.test('an allocation takes the least used project of the pool and region, with the lowest ref among equals', async (t) => {
  const pool = 'spread'
  const refs = [await insertProject(owner, { pool }), await insertProject(owner, { pool })].sort()
  const far = await insertProject(owner, { pool, region: 'us-east-1' })
  const apps = await insertApps(5)
  const given: unknown[] = []
  for (const app of apps.slice(0, 4)) given.push(await allocate(worker, app, pool, 'eu-central-1'))
  t.strictSame(given, [...refs, ...refs])
  t.equal(await allocate(worker, apps[4]!, pool), far, 'any region')
})

t.test('an allocation is null for a full pool, an unknown pool and a region without projects', async (t) => {
  await insertProject(owner, { pool: 'small', capacity: 1 })
  const [first, second] = (await insertApps(2)) as [string, string]
  t.type(await allocate(worker, first, 'small'), 'string')
  t.equal(await allocate(worker, second, 'small'), null)
  t.equal(await allocate(worker, second, 'nowhere'), null)
  t.equal(await allocate(worker, second, 'small', 'mars-1'), null)
  t.equal(await readAllocation(second), undefined)
})

t.test('an allocation for an unknown app fails', async (t) => {
  await t.rejects(allocate(worker, randomUUID()), { code: 'LEO14', table: 'apps' })
})

t.test('only active projects get new apps, and only empty projects can be retired', async (t) => {
  const pool = 'drained'
  const ref = await insertProject(owner, { pool })
  const [first, second] = (await insertApps(2)) as [string, string]
  await allocate(worker, first, pool)
  const setStatus = (status: string) =>
    worker.query('update supabase_projects set status = $2 where ref = $1', [ref, status])
  await setStatus('draining')
  t.equal(await allocate(worker, second, pool), null)
  await t.rejects(setStatus('retired'), { code: '23514', constraint: 'supabase_projects_retired_is_empty_check' })
  await deleteApp(owner, first)
  await t.rejects(setStatus('retired'), { code: '23514' }, 'not before the allocation is released')
  await release(worker, first)
  await t.resolves(setStatus('retired'))
  t.equal(await allocate(worker, second, pool), null)
  await setStatus('active')
  t.equal(await allocate(worker, second, pool), ref)
})

t.test('an allocation that waits for a project takes another one if the project becomes draining', async (t) => {
  const pool = 'drained-concurrently'
  const refs = [await insertProject(owner, { pool }), await insertProject(owner, { pool })].sort()
  const [app] = (await insertApps(1)) as [string]
  await owner.query('begin')
  await owner.query(`update supabase_projects set status = 'draining' where ref = $1`, [refs[0]])
  const allocation = allocate(worker, app, pool)
  await waitUntilBlocked(owner, worker, allocation)
  await owner.query('commit')
  t.equal(await allocation, refs[1])
})

t.test('a capacity below used is rejected', async (t) => {
  const pool = 'shrunk'
  const ref = await insertProject(owner, { pool })
  for (const app of await insertApps(2)) await allocate(worker, app, pool)
  const shrink = (to: number) => worker.query('update supabase_projects set capacity = $2 where ref = $1', [ref, to])
  await t.rejects(shrink(1), { code: '23514', constraint: 'supabase_projects_used_within_capacity_check' })
  await t.resolves(shrink(2))
})

t.test('the allocation of a deleted app counts until it is released, and can be released once', async (t) => {
  const pool = 'wiped'
  const ref = await insertProject(owner, { pool, capacity: 1 })
  const [first, second] = (await insertApps(2)) as [string, string]
  await allocate(worker, first, pool)
  const notReleasing = { code: 'LEO15', table: 'supabase_project_places' }
  await t.rejects(release(worker, first), notReleasing, 'not while the app exists')

  await db.as(user(userId), (client) => deleteApp(client, first))
  t.match(await readAllocation(first), { status: 'releasing' })
  t.match(await readProject(ref), { used: 1 })
  t.equal(await allocate(worker, second, pool), null)

  const releases = await Promise.all(workers.map((client) => outcomeOf(release(client, first))))
  t.strictSame(releases.map(({ code }) => code).sort(), [...Array.from({ length: 11 }, () => 'LEO15'), 'done'])
  t.match(await readProject(ref), { used: 0 })
  t.equal(await allocate(worker, second, pool), ref)
  await t.rejects(release(worker, first), notReleasing, 'released twice')
  await t.rejects(release(worker, randomUUID()), notReleasing, 'never allocated')
})

t.test('deleting a user sets their allocations to releasing', async (t) => {
  const deletedId = await db.signUp()
  const apps = await insertApps(3, deletedId)
  const refs = await each(apps.slice(0, 2), (app) => insertAllocation(owner, app))
  await auth.query('delete from auth.users where id = $1', [deletedId])
  t.strictSame(await each(apps, readAllocation), [...refs.map((ref) => ({ ref, status: 'releasing' })), undefined])
  for (const app of apps.slice(0, 2)) await release(worker, app)
  t.strictSame(await each(apps, readAllocation), [undefined, undefined, undefined])
})

t.test('an app that is inserted again with its old id gets a project after the old allocation is released', async (t) => {
  const appId = await insertApp(owner, userId)
  const ref = await insertAllocation(owner, appId)
  await deleteApp(owner, appId)
  await db.as(service, (client) => insertRow(client, 'apps', { id: appId, user_id: userId, app_name: 'From a backup' }))
  const taken = { code: '23505', constraint: 'supabase_project_places_pkey' }
  await t.rejects(allocate(worker, appId, `pool-${ref}`), taken)
  await release(worker, appId)
  t.equal(await allocate(worker, appId, `pool-${ref}`), ref)
})

t.test('users, services and workers cannot write allocations or counts directly', async (t) => {
  const [first, second] = (await insertApps(2)) as [string, string]
  const ref = await insertAllocation(owner, first)
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
    await t.rejects(worker.query(statement), { code: '42501' }, 'a worker')
    t.equal((await rolledBack(owner, () => outcomeOf(owner.query(statement)))).code, byOwner, 'the owner')
  }
  const move = `update apps set id = gen_random_uuid() where id = $1`
  const left = { code: '23503', constraint: 'apps_supabase_project_ref_id_fkey' }
  await t.rejects(db.tryAs(service, (client) => client.query(move, [first])), left, 'an app with an allocation keeps its id')
  await t.resolves(db.tryAs(service, (client) => client.query(move, [second])))
})

t.test('a user can read the project of their own app, but no other row of the pool', async (t) => {
  const appId = await insertApp(owner, userId)
  const ref = await insertAllocation(owner, appId)
  const read = (client: pg.Client) =>
    client.query('select supabase_project_ref as ref from apps where id = $1', [appId])
  t.strictSame((await db.as(user(userId), read)).rows, [{ ref }])
  t.strictSame((await db.as(user(await db.signUp()), read)).rows, [])
  for (const table of ['supabase_projects', 'supabase_project_places']) {
    const select = (client: pg.Client) => client.query(`select from ${table}`)
    await t.rejects(db.as(user(userId), select), { code: '42501' }, table)
    t.not((await db.as(service, select)).rowCount, 0, `a service can read ${table}`)
  }
})

t.test('only workers can allocate and release', async (t) => {
  const appId = await insertApp(owner, userId)
  for (const persona of [user(userId), service, { role: 'anon' } as const]) {
    await t.rejects(db.as(persona, (client) => allocate(client, appId)), { code: '42501' }, persona.role)
    await t.rejects(db.as(persona, (client) => release(client, appId)), { code: '42501' }, persona.role)
  }
  await t.resolves(allocate(worker, appId))
})

t.test('counts are exact after random concurrent allocations, deletes and releases', async (t) => {
  const pool = 'random'
  const refs = await each([2, 3, 4], (capacity) => insertProject(owner, { pool, capacity }))
  const apps = await insertApps(40)
  const outcomes = new Map<string, number>()
  const operations = [
    (client: pg.Client, app: string) => allocate(client, app, pool),
    (client: pg.Client, app: string) => allocate(client, app, pool),
    (client: pg.Client, app: string) => release(client, app),
    (client: pg.Client, app: string) => deleteApp(client, app),
    async (client: pg.Client, app: string) => {
      await deleteApp(client, app)
      return release(client, app)
    },
    (client: pg.Client) =>
      client.query(`update supabase_projects set status = $2 where ref = $1`, [randomOf(refs), randomOf(['active', 'draining'])]),
    (client: pg.Client) =>
      client.query(`update supabase_projects set capacity = 1 + (random() * 5)::int where ref = $1`, [randomOf(refs)]),
  ]
  await Promise.all(
    workers.map(async (client) => {
      for (let step = 0; step < 40; step += 1) {
        const { code } = await outcomeOf(randomOf(operations)(client, randomOf(apps)))
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
      }
    }),
  )
  t.strictSame([...outcomes.keys()].filter((code) => !['done', 'LEO14', 'LEO15', '23514'].includes(code)), [])
  t.strictSame(await findMiscounts(), [])
  t.ok(outcomes.get('done')! > 100 && outcomes.has('LEO15'), 'most operations succeed', { outcomes: [...outcomes] })
})

t.test('findMiscounts() reports a wrong count', async (t) => {
  t.strictSame(await findMiscounts(), [], 'no count is wrong after the tests above')
  const ref = await insertAllocation(owner, await insertApp(owner, userId))
  await owner.query('update supabase_projects set used = 2 where ref = $1', [ref])
  t.strictSame(await findMiscounts(), [{ ref, used: 2, allocations: 1 }])
  await owner.query('update supabase_projects set used = 1 where ref = $1', [ref])
})

function randomOf<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)]!
}
