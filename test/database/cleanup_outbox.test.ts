import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { insertApp, insertAllocation, insertRequest, insertRow, insertSecret, insertTenant, only } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const auth = await db.login('supabase_auth_admin')
const workers = await Promise.all(Array.from({ length: 8 }, () => db.login(logins.leo_worker)))
const [worker] = workers as [pg.Client]

interface Cleanup extends Row {
  readonly id: string
  readonly kind: string
  readonly target: string
  readonly attempt: number
}

const claim = async (client: pg.Client, limit = 100, lease = '10 minutes'): Promise<Cleanup[]> =>
  (await client.query<Cleanup>('select * from private.claim_cleanups($1, $2, $3)', ['worker-1', limit, lease])).rows
/** Calls a function that returns whether the caller still holds the lease. */
const callHeld = async (client: pg.Client, call: string, values: unknown[]): Promise<boolean> =>
  only(await client.query<{ held: boolean }>(`select private.${call} as held`, values)).held
const finish = (client: pg.Client, { id, attempt }: Cleanup): Promise<boolean> =>
  callHeld(client, 'finish_cleanup($1, $2)', [id, attempt])
const fail = (client: pg.Client, { id, attempt }: Cleanup, error: string): Promise<boolean> =>
  callHeld(client, 'fail_cleanup($1, $2, $3)', [id, attempt, error])
const release = (client: pg.Client, appId: unknown): Promise<unknown> =>
  client.query('select private.release_supabase_place($1)', [appId])

const deleteApp = (client: pg.Client, appId: string): Promise<pg.QueryResult> =>
  client.query('delete from apps where id = $1', [appId])
const deleteUser = (userId: string): Promise<pg.QueryResult> =>
  auth.query('delete from auth.users where id = $1', [userId])

const repository = 'https://github.com/leo/books'
const flyApp = 'https://books.fly.dev'

/** A user with an app of two generations that have the same repository. */
async function insertBuiltApp(columns: Row = { github_url: repository, deployment_url: flyApp }) {
  const userId = await db.signUp()
  const appId = await insertApp(owner, userId)
  for (let version = 0; version < 2; version += 1) await insertRequest(owner, userId, appId, columns)
  return { userId, appId }
}

const read = async (id: string): Promise<Row> =>
  only(await owner.query<Row>('select * from cleanup_outbox where id = $1', [id]))
const open = async (): Promise<Cleanup[]> =>
  (await owner.query<Cleanup>('select * from cleanup_outbox where finished_at is null order by kind, target')).rows
const targets = (rows: readonly Cleanup[]): string[][] => rows.map(({ kind, target }) => [kind, target])
/** Moves the lease and retry times into the past, as if the interval had passed. */
const advanceTime = (interval: string) =>
  owner.query(
    `update cleanup_outbox
     set claimed_until = claimed_until - $1::interval, available_at = available_at - $1::interval`,
    [interval],
  )

t.beforeEach(() => owner.query('delete from cleanup_outbox'))

t.test('deleting an app inserts one row for its repository, its Fly app and its allocation', async (t) => {
  const { userId, appId } = await insertBuiltApp()
  const ref = await insertAllocation(owner, appId)
  await db.as(user(userId), (client) => deleteApp(client, appId))
  const built = { context: { app_id: appId, user_id: userId }, sealed_token: null, attempt: 0, finished_at: null }
  t.match(await open(), [
    { ...built, kind: 'github_repository', target: repository },
    { ...built, kind: 'fly_app', target: flyApp },
    { kind: 'supabase_place', target: ref, context: { app_id: appId }, sealed_token: null },
  ])
})

t.test('deleting an app without resources, and a delete that is rolled back, insert no row', async (t) => {
  const { userId, appId } = await insertBuiltApp({})
  await db.as(user(userId), (client) => deleteApp(client, appId))
  const built = await insertBuiltApp()
  await db.tryAs(user(built.userId), (client) => deleteApp(client, built.appId))
  t.strictSame(await open(), [])
})

t.test('deleting a secret inserts its sealed token and the context that decrypts it', async (t) => {
  const { userId, secretId } = await insertTenant(db)
  const select = 'select encrypted_token from user_secrets where id = $1'
  const { encrypted_token } = only(await owner.query<Row>(select, [secretId]))
  await db.as(user(userId), (client) => client.query('delete from user_secrets where id = $1', [secretId]))
  t.match(await open(), [
    {
      ...{ kind: 'oauth_token', target: 'github', sealed_token: encrypted_token },
      context: { secret_id: secretId, user_id: userId, provider: 'github' },
    },
  ])
})

t.test('deleting a user inserts a row for every resource, by all cascades', async (t) => {
  const { userId, appId } = await insertBuiltApp()
  const second = await insertApp(owner, userId)
  await insertRequest(owner, userId, second, { github_url: 'https://github.com/leo/films' })
  const refs = [await insertAllocation(owner, appId), await insertAllocation(owner, second)].sort()
  for (const provider of ['github', 'fly']) await insertSecret(owner, userId, provider)
  t.equal((await deleteUser(userId)).rowCount, 1)
  t.strictSame(targets(await open()), [
    ['github_repository', repository],
    ['github_repository', 'https://github.com/leo/films'],
    ['fly_app', flyApp],
    ...refs.map((ref) => ['supabase_place', ref]),
    ['oauth_token', 'fly'],
    ['oauth_token', 'github'],
  ])
})

t.test('the rows of a deleted user contain ids but no email address, name or prompt', async (t) => {
  const { userId, appId, requestId } = await insertTenant(db)
  await owner.query('update generation_requests set github_url = $2 where id = $1', [requestId, repository])
  const { personal } = only(
    await owner.query<{ personal: string[] }>(
      `select array[u.email, a.app_name, r.prompt, p.display_name] as personal
       from auth.users u join apps a on a.user_id = u.id join user_profiles p on p.user_id = u.id
       join generation_requests r on r.app_id = a.id
       where u.id = $1`,
      [userId],
    ),
  )
  await deleteUser(userId)
  const left = JSON.stringify((await open()).map((row) => ({ ...row, sealed_token: null })))
  for (const id of [userId, appId, repository]) t.ok(left.includes(id), id)
  for (const text of personal) t.notOk(left.includes(text), text)
})

t.test('tokens of the same provider and allocations in the same project get separate rows', async (t) => {
  const [first, second] = [await insertTenant(db), await insertTenant(db)]
  const ref = await insertAllocation(owner, await insertApp(owner, first.userId))
  const appId = await insertApp(owner, second.userId)
  await owner.query(`select private.allocate_supabase_project($1, $2)`, [appId, `pool-${ref}`])
  await deleteUser(first.userId)
  await deleteUser(second.userId)
  const rows = await open()
  t.equal(rows.filter(({ kind }) => kind === 'oauth_token').length, 2)
  t.equal(rows.filter(({ target }) => target === ref).length, 2)
})

t.test('a repository cannot be claimed while another app of the user has it, and once afterwards', async (t) => {
  const { userId, appId } = await insertBuiltApp()
  const fork = await insertApp(owner, userId)
  await insertRequest(owner, userId, fork, { github_url: repository })
  await deleteApp(owner, appId)
  t.strictSame(targets(await claim(worker)), [['fly_app', flyApp]])
  await deleteApp(owner, fork)
  const claimed = await claim(worker)
  t.strictSame(targets(claimed), [['github_repository', repository]])
  t.equal(await finish(worker, claimed[0]!), true)
  t.strictSame(targets(await open()), [['fly_app', flyApp]])
})

t.test('a repository that a newer app has cannot be claimed', async (t) => {
  const { userId, appId } = await insertBuiltApp({ github_url: repository })
  await deleteApp(owner, appId)
  await insertRequest(owner, userId, await insertApp(owner, userId), { github_url: repository })
  t.strictSame(await claim(worker), [])
  await deleteUser(userId)
  t.strictSame(targets(await claim(worker)), [['github_repository', repository]])
})

t.test('two apps with the same repository that are deleted concurrently leave a row for it', async (t) => {
  const { userId, appId } = await insertBuiltApp({ github_url: repository })
  const fork = await insertApp(owner, userId)
  await insertRequest(owner, userId, fork, { github_url: repository })
  const services = [workers[0]!, workers[1]!]
  for (const client of services) await client.query('begin')
  await deleteApp(services[0]!, appId)
  await deleteApp(services[1]!, fork)
  for (const client of services) await client.query('commit')
  const claimed = await claim(worker)
  t.ok(claimed.length > 0)
  for (const cleanup of claimed) t.strictSame(cleanup.target, repository)
})

t.test('an app that is deleted while its repository is being cleaned up inserts another row', async (t) => {
  const { userId, appId } = await insertBuiltApp({ github_url: repository })
  await deleteApp(owner, appId)
  const [claimed] = await claim(worker)
  const again = await insertApp(owner, userId)
  await insertRequest(owner, userId, again, { github_url: repository })
  await deleteApp(owner, again)
  await finish(worker, claimed!)
  t.strictSame(targets(await open()), [['github_repository', repository]])
})

t.test('a delete succeeds for any URL of a generation, also an invalid or a huge one', async (t) => {
  const long = Array.from({ length: 2_000 }, (_, n) => String.fromCharCode(33 + ((n * n) % 90))).join('')
  const unusualUrls = [long, '', ' ', 'http://[', 'é\u200b\n', `'; drop table apps; --`, '{}', '\\', null]
  await owner.query('alter table generation_requests drop constraint generation_requests_github_url_is_https_check')
  for (const url of unusualUrls) {
    const { userId, appId } = await insertBuiltApp({ github_url: url })
    await t.resolves(db.as(user(userId), (client) => deleteApp(client, appId)), `an app: ${String(url).slice(0, 40)}`)
    const other = await insertBuiltApp({ github_url: url })
    await t.resolves(deleteUser(other.userId), 'a user')
  }
  t.strictSame(targets(await open()).map(([, target]) => target).sort(), unusualUrls.filter(Boolean).sort())

  const { userId } = await insertBuiltApp()
  const huge = `update generation_requests set github_url = repeat(github_url, 400000)
    where id = (select min(id) from generation_requests where user_id = $1)`
  await owner.query(huge, [userId])
  t.equal((await deleteUser(userId)).rowCount, 1, 'a user with a URL of 10 MB')
})

t.test('concurrent deletes of users and apps that share targets all succeed', async (t) => {
  const users: string[] = []
  const apps: string[] = []
  for (let count = 0; count < 6; count += 1) {
    const { userId, appId } = await insertBuiltApp()
    const fork = await insertApp(owner, userId)
    await insertRequest(owner, userId, fork, { github_url: repository, deployment_url: flyApp })
    users.push(userId)
    apps.push(appId, fork)
  }
  const streams = [
    users.map((id) => () => deleteUser(id)),
    apps.map((id) => () => deleteApp(workers[0]!, id)),
    apps.toReversed().map((id) => () => deleteApp(workers[1]!, id)),
    [() => workers[2]!.query('delete from apps where id = any($1)', [apps])],
    apps.map(() => () => claim(workers[3]!, 1)),
  ]
  const codes = await Promise.all(streams.map(inTurn))
  t.strictSame([...new Set(codes.flat())], ['done'])
  await advanceTime('1 hour')
  const claimed = new Set((await claim(worker)).map(({ target }) => target))
  t.strictSame([...claimed].sort(), [flyApp, repository])
})

async function inTurn(statements: readonly (() => Promise<unknown>)[]): Promise<string[]> {
  const codes: string[] = []
  for (const statement of statements) codes.push((await outcomeOf(statement())).code)
  return codes
}

t.test('several workers that claim concurrently never get the same row', async (t) => {
  const { userId } = await insertBuiltApp({})
  for (let count = 0; count < 40; count += 1) await insertSecret(owner, userId, `p${count}`)
  await deleteUser(userId)
  const claimed = (await Promise.all(workers.map((client) => claim(client, 7)))).flat()
  t.equal(claimed.length, 40)
  t.equal(new Set(claimed.map(({ id }) => id)).size, 40)
  t.strictSame(await claim(worker), [])
})

t.test('another worker claims a row whose lease expired, and the first can no longer finish or fail it', async (t) => {
  const { userId } = await insertTenant(db)
  await deleteUser(userId)
  const [first] = (await claim(worker)).filter(({ kind }) => kind === 'oauth_token')
  t.strictSame(await claim(worker), [], 'not while the lease is held')
  await advanceTime('11 minutes')
  const [second] = (await claim(workers[1]!)).filter(({ id }) => id === first!.id)
  t.equal(second!.attempt, 2)
  t.equal(await finish(worker, first!), false)
  t.equal(await fail(worker, first!, 'too late'), false)
  t.match(await read(first!.id), { finished_at: null, last_error: null, claimed_by: 'worker-1' })
  t.equal(await finish(workers[1]!, second!), true)
  t.equal(await finish(workers[1]!, second!), false, 'not twice')
  t.equal(await fail(workers[1]!, second!, 'after all'), false)
})

t.test('a finished cleanup keeps no token and no ids', async (t) => {
  const { userId, secretId } = await insertTenant(db)
  await deleteUser(userId)
  for (const cleanup of await claim(worker)) {
    if (cleanup.kind === 'oauth_token') await fail(worker, cleanup, `could not revoke ${secretId}`)
    else await finish(worker, cleanup)
  }
  await advanceTime('1 minute')
  for (const cleanup of await claim(worker)) t.equal(await finish(worker, cleanup), true)
  const { rows } = await owner.query<Row>('select * from cleanup_outbox')
  t.equal(rows.length, 2)
  for (const row of rows) t.match(row, { sealed_token: null, last_error: null, claimed_by: null, finished_at: Date })
  t.notMatch(JSON.stringify(rows), new RegExp(`${userId}|${secretId}|leo1`))
})

t.test('the delay after a failure doubles up to one day', async (t) => {
  const { appId } = await insertBuiltApp({ github_url: repository })
  await deleteApp(owner, appId)
  const waits: unknown[] = []
  for (let attempt = 1; attempt <= 15; attempt += 1) {
    const [cleanup] = await claim(worker)
    t.equal(await fail(worker, cleanup!, 'e'.repeat(attempt === 1 ? 10_000_000 : 501)), true)
    t.strictSame(await claim(worker), [])
    const select = `
      select extract(epoch from available_at - now())::int as wait, char_length(last_error) as length
      from cleanup_outbox`
    const { wait, length } = only(await owner.query<{ wait: number; length: number }>(select))
    t.equal(length, 500)
    waits.push(Math.round(wait / 30))
    await owner.query('update cleanup_outbox set available_at = now()')
  }
  t.strictSame(waits.slice(0, 5), [1, 2, 4, 8, 16])
  t.strictSame(waits.slice(-3), [2880, 2880, 2880])
})

t.test('finishing the cleanup of an allocation releases it, and releasing it finishes the cleanup', async (t) => {
  const { userId } = await insertBuiltApp({})
  const apps = [await insertApp(owner, userId), await insertApp(owner, userId)] as const
  for (const app of apps) await insertAllocation(owner, app)
  await deleteUser(userId)
  const [first, second] = await claim(worker)
  t.equal(await finish(worker, first!), true)
  await release(worker, (second!['context'] as Row)['app_id'])
  t.equal(await finish(worker, second!), false)
  t.strictSame(await open(), [])
  const refs = [first!.target, second!.target]
  const used = await owner.query('select used from supabase_projects where ref = any($1)', [refs])
  t.strictSame(used.rows, [{ used: 0 }, { used: 0 }])
})

t.test('an allocation that is finished and released concurrently is released once, without a deadlock', async (t) => {
  const { userId } = await insertBuiltApp({})
  for (let count = 0; count < 10; count += 1) await insertAllocation(owner, await insertApp(owner, userId))
  await deleteUser(userId)
  const cleanups = await claim(worker)
  for (const cleanup of cleanups) {
    const appId = (cleanup['context'] as Row)['app_id']
    const outcomes = await Promise.all(
      workers.map((client, index) => outcomeOf(index % 2 ? finish(client, cleanup) : release(client, appId))),
    )
    t.strictSame(outcomes.filter(({ code }) => !['done', 'LEO15'].includes(code)), [])
  }
  const refs = cleanups.map(({ target }) => target)
  const { rows } = await owner.query('select distinct used from supabase_projects where ref = any($1)', [refs])
  t.strictSame(rows, [{ used: 0 }])
})

t.test('a claim with arguments out of range is rejected', async (t) => {
  await insertBuiltApp().then(({ appId }) => deleteApp(owner, appId))
  for (const limit of [0, -1, 101]) await t.rejects(claim(worker, limit), { code: 'LEO16' }, `${limit} rows`)
  for (const lease of ['0', '-1 day', '25 hours']) await t.rejects(claim(worker, 1, lease), { code: 'LEO16' }, lease)
  await t.rejects(worker.query(`select private.claim_cleanups('w', null, null)`), { code: 'LEO16' })
  const unnamed = { code: '23514', constraint: 'cleanup_outbox_claimed_by_printable_check' }
  await t.rejects(worker.query(`select private.claim_cleanups('')`), unnamed)
  const noClaimant = { code: '23514', constraint: 'cleanup_outbox_claim_has_an_end_check' }
  await t.rejects(worker.query(`select private.claim_cleanups(null)`), noClaimant)
  t.equal((await claim(worker, 100, '1 day')).length, 2)
})

t.test('services can read and workers can claim; all other reads and writes are denied', async (t) => {
  const { appId } = await insertBuiltApp()
  await deleteApp(owner, appId)
  const select = (client: pg.Client) => client.query('select from cleanup_outbox')
  t.equal((await db.as(service, select)).rowCount, 2)
  t.equal((await select(worker)).rowCount, 2)
  const writes = ['update cleanup_outbox set attempt = 0', 'delete from cleanup_outbox']
  for (const persona of [user(await db.signUp()), { role: 'anon' } as const]) {
    await t.rejects(db.as(persona, select), { code: '42501' })
  }
  for (const write of writes) {
    await t.rejects(db.as(service, (client) => client.query(write)), { code: '42501' })
    await t.rejects(worker.query(write), { code: '42501' })
  }
  const insert = (client: pg.Client) => insertRow(client, 'cleanup_outbox', { kind: 'fly_app', target: flyApp })
  await t.rejects(insert(worker), { code: '42501' })
  for (const persona of [service, user(await db.signUp())]) await t.rejects(db.as(persona, claim), { code: '42501' })
  t.equal((await claim(worker)).length, 2)
})
