import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createPool, createServiceClient, parseUserId } from '../../db/index.ts'
import { RefreshNotSavedError, RefreshRejectedError, secretToTokens, user_secrets } from '../../db/secrets/index.ts'
import type { TokenSet } from '../../db/secrets/index.ts'
import { releaseLease, renewLease, takeLease } from '../../db/secrets/refresh/lease.ts'
import type { Exchange } from '../../db/secrets/user_secrets.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { startProxy } from '../fixtures/proxy.ts'
import { accessOf, connectExpired, mark, StrictProvider, tokensOf } from './fixtures/refreshing.ts'
import { devBox, secret, startKms } from '../fixtures/secret_boxes.ts'
import { loginTo, logins } from '../fixtures/server.ts'
import { until } from '../fixtures/until.ts'

const test = await createMigratedDatabase(t)
const { serviceDb } = createClients(t, test)
const box = devBox()
const { refresh, saveRefresh } = user_secrets
const isLeased = async (): Promise<boolean> =>
  (await test.owner.query('select from private.secret_refreshes where holder is not null')).rowCount !== 0
const endLeases = () =>
  test.owner.query(`update private.secret_refreshes set expires_at = '-infinity' where holder is not null`)

/** A user with an expired token, and a function that reads the stored tokens. */
async function connected() {
  const user_id = parseUserId(await test.signUp())
  await connectExpired(serviceDb, box, user_id)
  const name = { user_id, provider: 'github' }
  const stored = async (): Promise<TokenSet> => secretToTokens((await user_secrets.get(serviceDb, box, name)).value)
  return { name, stored }
}

/** Options of calls that wait for an event of the test, which may take long on a busy machine. */
const longWait = { timeoutMs: 600_000, leaseMs: 600_000 }

/** Returns `ms` plus ten times the current duration of a refresh, so that the provider is called within it on a busy machine. */
async function longEnough(ms: number): Promise<number> {
  const { name } = await connected()
  const before = performance.now()
  await refresh(serviceDb, box, name, new StrictProvider().exchange)
  return ms + Math.ceil(10 * (performance.now() - before))
}

/** A promise that the test resolves. */
function gate() {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

t.test('tokens that are fresh or never expire are returned unchanged', async (t) => {
  const { name } = await connected()
  const asked = new Error('the provider was asked')
  const never: Exchange = () => Promise.reject(asked)
  await t.rejects(refresh(serviceDb, box, name, never), asked, 'expired ones are refreshed')
  await user_secrets.put(serviceDb, box, { ...name, tokens: tokensOf(1, 90_000) })
  t.equal(accessOf(await refresh(serviceDb, box, name, never)), `${mark}_access_1`)
  await t.rejects(refresh(serviceDb, box, name, never, { earlyMs: 100_000 }), asked)
  await user_secrets.put(serviceDb, box, { ...name, tokens: { access_token: secret('no expiry') } })
  t.equal(accessOf(await refresh(serviceDb, box, name, never, { earlyMs: 86_400_000 })), 'no expiry')
})

t.test('concurrent calls call the provider once, and wait without holding a connection', async (t) => {
  const { name, stored } = await connected()
  const provider = new StrictProvider()
  const { open, opened } = gate()
  const slowly: Exchange = async (tokens) => {
    await opened
    return provider.exchange(tokens)
  }
  const all = Array.from({ length: 30 }, () => refresh(serviceDb, box, name, slowly, longWait))
  await until('one has the lease', isLeased)
  // The pool has three connections. If a waiting call held one, these three calls would not get theirs.
  const held = gate()
  let taken = 0
  const three = Array.from({ length: 3 }, () => serviceDb.connection().execute(async () => {
    taken += 1
    await held.opened
  }))
  await until('all three connections are free', () => taken === 3)
  held.open()
  await Promise.all(three)
  open()
  const tokens = await Promise.all(all)
  t.equal(provider.calls, 1)
  t.strictSame(new Set(tokens.map(accessOf)), new Set([`${mark}_access_1`]))
  t.equal(accessOf(await stored()), `${mark}_access_1`)
  t.notOk(await isLeased(), 'the lease is released')

  const without = await connected()
  const another = new StrictProvider()
  const alone = async () => another.exchange(await without.stored())
  const outcomes = await Promise.allSettled([alone(), alone(), alone(), alone(), alone()])
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 4, 'without a lease the provider rejects the other calls')
})

t.test('waiting calls accept new tokens that expire soon', async (t) => {
  const { name } = await connected()
  const provider = new StrictProvider(1_000)
  const { db, statements } = databaseWith(t, async () => undefined)
  // A call that first reads the new tokens would refresh them again, because they are about to expire. The pool serves in
  // order once its three connections are open: of five calls that read and then request the lease, all have read before the
  // tenth statement.
  await Promise.all(Array.from({ length: 3 }, () => sql`select`.execute(db)))
  const before = statements()
  const slowly: Exchange = async (old) => {
    await until('all five wait', () => statements() >= before + 10)
    return provider.exchange(old)
  }
  const all = Array.from({ length: 5 }, () => refresh(db, box, name, slowly, { ...longWait, earlyMs: 60_000 }))
  t.strictSame(new Set((await Promise.all(all)).map(accessOf)), new Set([`${mark}_access_1`]))
  t.equal(provider.calls, 1)
})

t.test('values that the provider does not grant again are kept', async (t) => {
  const { name, stored } = await connected()
  await refresh(serviceDb, box, name, async () => ({ access_token: secret('new') }))
  const { access_token, refresh_token, ...others } = await stored()
  t.equal(access_token.reveal(), 'new')
  t.equal(refresh_token?.reveal(), `${mark}_refresh_0`)
  t.strictSame(others, { scope: 'repo' }, 'the expiry is that of the new tokens')
})

t.test('a rejection is recorded for the token until the user connects again', async (t) => {
  const { name } = await connected()
  let calls = 0
  const refuse: Exchange = async () => {
    calls += 1
    throw new RefreshRejectedError()
  }
  const listed = async (): Promise<number> => {
    const { secrets } = await user_secrets.listExpiring(serviceDb, { before: new Date(), limit: 100 })
    return secrets.filter(({ user_id }) => user_id === name.user_id).length
  }
  t.equal(await listed(), 1)
  for (let round = 0; round < 2; round += 1) {
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => refresh(serviceDb, box, name, refuse)))
    for (const outcome of outcomes) t.match(outcome, { reason: { code: 'refresh_rejected', isRetrySafe: false } })
    t.equal(calls, 1)
  }
  t.equal(await listed(), 0, 'listExpiring omits it')
  await connectExpired(serviceDb, box, name.user_id)
  t.equal(await listed(), 1)
  t.equal(accessOf(await refresh(serviceDb, box, name, new StrictProvider().exchange)), `${mark}_access_1`)
})

t.test('another error of the exchange is rethrown, and the next call tries at once', async (t) => {
  const { name } = await connected()
  const failure = new Error('502')
  await t.rejects(refresh(serviceDb, box, name, () => Promise.reject(failure)), failure)
  t.notOk(await isLeased())
  const throws = (() => {
    throw failure
  }) as Exchange
  await t.rejects(refresh(serviceDb, box, name, throws), failure)
  t.equal(accessOf(await refresh(serviceDb, box, name, new StrictProvider().exchange)), `${mark}_access_1`)
})

t.test('a call that lost its lease stores its tokens unless newer ones are stored', async (t) => {
  const { name, stored } = await connected()
  const [asked, slow] = [gate(), gate()]
  const late = refresh(serviceDb, box, name, async () => {
    asked.open()
    await slow.opened
    return tokensOf(7, 3_600_000)
  })
  await asked.opened
  await endLeases()
  const refused = refresh(serviceDb, box, name, async () => {
    slow.open()
    await late
    throw new RefreshRejectedError()
  })
  t.equal(accessOf(await late), `${mark}_access_7`)
  t.equal(accessOf(await refused), `${mark}_access_7`, 'the call that took over and was rejected reads them')
  t.equal(accessOf(await stored()), `${mark}_access_7`)

  const again = await connected()
  const [askedAgain, slower] = [gate(), gate()]
  const overtaken = refresh(serviceDb, box, again.name, async () => {
    askedAgain.open()
    await slower.opened
    return tokensOf(7, 3_600_000)
  })
  await askedAgain.opened
  await user_secrets.put(serviceDb, box, { ...again.name, tokens: tokensOf(9, 3_600_000) })
  slower.open()
  t.equal(accessOf(await overtaken), `${mark}_access_9`)
  t.equal(accessOf(await again.stored()), `${mark}_access_9`)
})

t.test('a token that is re-wrapped during a refresh is the same token', async (t) => {
  const { name, stored } = await connected()
  const context = { table: 'user_secrets', ...name } as const
  await refresh(serviceDb, box, name, async (tokens) => {
    const select = serviceDb.selectFrom('user_secrets').select('encrypted_token').where('user_id', '=', name.user_id)
    const row = await select.executeTakeFirstOrThrow()
    const encrypted_token = await box.rewrap(context, row.encrypted_token)
    await serviceDb.updateTable('user_secrets').set({ encrypted_token }).where('user_id', '=', name.user_id).execute()
    return new StrictProvider().exchange(tokens)
  })
  t.equal(accessOf(await stored()), `${mark}_access_1`)
})

t.test('a secret that is deleted during a refresh stays deleted, and the new token can be revoked', async (t) => {
  const { name } = await connected()
  const cut = refresh(serviceDb, box, name, async () => {
    await user_secrets.delete(serviceDb, name)
    return tokensOf(1, 3_600_000)
  })
  const error = await cut.catch((error: unknown) => error)
  if (!(error instanceof RefreshNotSavedError)) return t.fail(String(error))
  t.strictSame(await saveRefresh(serviceDb, error.unsaved), { outcome: 'not_found' })
  const opened = secretToTokens(await box.open({ table: 'user_secrets', ...name }, error.unsaved.sealed))
  t.equal(accessOf(opened), `${mark}_access_1`)
  await t.rejects(refresh(serviceDb, box, name, new StrictProvider().exchange), { code: 'not_found' })
})

t.test('a call times out, and a late answer of the provider is stored', async (t) => {
  const { name, stored } = await connected()
  const slow = gate()
  let isAborted = false
  const hang: Exchange = async (_, signal) => {
    signal.addEventListener('abort', () => (isAborted = true))
    await slow.opened
    return tokensOf(1, 3_600_000)
  }
  const times = { timeoutMs: await longEnough(200), leaseMs: 600_000 }
  await t.rejects(refresh(serviceDb, box, name, hang, times), { code: 'refresh_timed_out', isRetrySafe: false })
  t.ok(isAborted)
  t.ok(await isLeased(), 'the exchange may still be running')
  await t.rejects(refresh(serviceDb, box, name, hang, times), { code: 'refresh_timed_out', isRetrySafe: true })
  slow.open()
  t.equal(accessOf(await refresh(serviceDb, box, name, hang)), `${mark}_access_1`)
  t.equal(accessOf(await stored()), `${mark}_access_1`)
  t.notOk(await isLeased())
})

async function refreshWithout(t: Test, breakIt: 'before' | 'during') {
  const { kms, box } = await startKms(t)
  const user_id = parseUserId(await test.signUp())
  await connectExpired(serviceDb, box, user_id)
  const provider = new StrictProvider()
  if (breakIt === 'before') kms.injectFault({ error: 'AccessDeniedException' }, { operation: 'GenerateDataKey' })
  const refreshed = refresh(serviceDb, box, { user_id, provider: 'github' }, async (tokens) => {
    await kms.stop()
    return provider.exchange(tokens)
  })
  return { refreshed, provider }
}

t.test('if KMS becomes unavailable during the exchange, the new token is stored', async (t) => {
  const { refreshed, provider } = await refreshWithout(t, 'during')
  t.equal(accessOf(await refreshed), `${mark}_access_1`)
  t.equal(provider.calls, 1)
})

t.test('a call that loses its lease before the exchange does not call the provider', async (t) => {
  const { kms, box } = await startKms(t)
  const user_id = parseUserId(await test.signUp())
  await connectExpired(serviceDb, box, user_id)
  const provider = new StrictProvider()
  kms.hold()
  const { db, statements } = databaseWith(t, async () => undefined)
  const refreshed = refresh(db, box, { user_id, provider: 'github' }, provider.exchange)
  const update = `
    update private.secret_refreshes set holder = gen_random_uuid(), expires_at = 'infinity'
    where user_id = $1 and holder is not null`
  await until('another call takes the lease', async () => (await test.owner.query(update, [user_id])).rowCount === 1)
  const before = statements()
  kms.release()
  await until('the call has found its lease lost, and waits', () => statements() > before + 3)
  t.equal(provider.calls, 0, 'the new holder ended without calling it')
  await endLeases()
  t.equal(accessOf(await refreshed), `${mark}_access_1`)
  t.equal(provider.calls, 1)
})

t.test('if KMS is unavailable before the exchange, the provider is not called', async (t) => {
  const { refreshed, provider } = await refreshWithout(t, 'before')
  await t.rejects(refreshed, { code: 'key_access_denied' })
  t.equal(provider.calls, 0)
  t.notOk(await isLeased())
})

t.test('if the database is unavailable during the exchange, the new token is stored when it is available again', async (t) => {
  const { name, stored } = await connected()
  const target = loginTo(test.name, logins.leo_worker)
  const proxy = await startProxy(t, target)
  const pool = createPool({ ...target.pg, port: proxy.port, max: 3 })
  t.teardown(() => pool.end())
  const db = createServiceClient(pool)
  const provider = new StrictProvider()
  const refreshed = refresh(db, box, name, async (tokens) => {
    proxy.cutAtNextAnswer()
    return provider.exchange(tokens)
  })
  t.equal(accessOf(await refreshed), `${mark}_access_1`)
  t.equal(accessOf(await stored()), `${mark}_access_1`)
})

t.test('if it stays unavailable, the error contains the sealed new token', async (t) => {
  const { name, stored } = await connected()
  const gone = createPool({ ...loginTo(test.name, logins.leo_worker).pg, max: 3 })
  const refreshed = refresh(
    createServiceClient(gone),
    box,
    name,
    async (tokens) => {
      await gone.end()
      return new StrictProvider().exchange(tokens)
    },
    { timeoutMs: await longEnough(500) },
  )
  const error = await refreshed.catch((error: unknown) => error)
  if (!(error instanceof RefreshNotSavedError)) return t.fail(String(error))
  t.match(error, { code: 'refresh_not_saved', isRetrySafe: false, cause: { code: 'connection_failed' } })
  t.equal(accessOf(await stored()), `${mark}_access_0`)
  t.strictSame(await saveRefresh(serviceDb, error.unsaved), { outcome: 'saved' })
  t.strictSame(await saveRefresh(serviceDb, error.unsaved), { outcome: 'saved' }, 'saveRefresh is idempotent')
  t.equal(accessOf(await stored()), `${mark}_access_1`)
  await user_secrets.put(serviceDb, box, { ...name, tokens: tokensOf(5, 1_000) })
  t.strictSame(await saveRefresh(serviceDb, error.unsaved), { outcome: 'superseded' })
  t.notOk(await isLeased())
})

/** The database of the service. It runs `hook` before its n-th statement, which may end the connection. */
function databaseWith(t: Test, hook: (n: number, stream: Socket, send: () => Promise<unknown>) => Promise<void>) {
  const pool = createPool({ ...loginTo(test.name, logins.leo_worker).pg, max: 3 })
  t.teardown(() => pool.end())
  let statements = 0
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
    const hooked = async (...args: unknown[]): Promise<unknown> => {
      statements += 1
      await hook(statements, stream, () => query(...args))
      return query(...args)
    }
    Object.assign(client, { query: hooked })
  })
  return { db: createServiceClient(pool), statements: () => statements }
}

/** The same, but its connection is lost at the n-th statement, before it is sent or before it is answered. */
const disconnectingDatabase = (t: Test, at: number, moment: 'unsent' | 'unanswered') =>
  databaseWith(t, async (n, stream, send) => {
    if (n !== at) return
    if (moment === 'unanswered') await send()
    stream.destroy()
    throw new Error('Connection terminated unexpectedly')
  })

t.test('a call that takes the lease after another refresh returns its tokens', async (t) => {
  const { name } = await connected()
  const provider = new StrictProvider()
  let overtaken = 0
  // Between the first read and the lease.
  const { db } = databaseWith(t, async (n) => {
    if (n !== 2) return
    await refresh(serviceDb, box, name, provider.exchange)
    overtaken = provider.calls
  })
  t.equal(accessOf(await refresh(db, box, name, provider.exchange)), `${mark}_access_1`)
  t.equal(overtaken, 1)
  t.equal(provider.calls, 1)
  t.notOk(await isLeased())
})

t.test('a lease has one holder until it expires, and can be renewed until another call takes it', async (t) => {
  const { name } = await connected()
  const [first, second] = [randomUUID(), randomUUID()]
  t.ok(await takeLease(serviceDb, name, first, 60_000))
  t.notOk(await takeLease(serviceDb, name, second, 60_000))
  t.notOk(await renewLease(serviceDb, name, second, 60_000))
  await releaseLease(serviceDb, name, second)
  t.ok(await renewLease(serviceDb, name, first, 60_000))
  await endLeases()
  t.ok(await renewLease(serviceDb, name, first, 60_000), 'no other call has taken it')
  await endLeases()
  t.ok(await takeLease(serviceDb, name, second, 60_000))
  t.notOk(await renewLease(serviceDb, name, first, 60_000))
  await releaseLease(serviceDb, name, second)
  t.notOk(await renewLease(serviceDb, name, second, 60_000), 'another call may have held it')
  t.notOk(await takeLease(serviceDb, { ...name, provider: 'fly' }, first, 60_000), 'there is no such secret')
})

t.test('whichever statement loses its connection, the provider is called once and its tokens are stored', async (t) => {
  for (const moment of ['unsent', 'unanswered'] as const) {
    let isReached = true
    for (let at = 1; isReached && at < 20; at += 1) {
      const { name, stored } = await connected()
      const provider = new StrictProvider()
      const { db, statements } = disconnectingDatabase(t, at, moment)
      const title = `statement ${at}, ${moment}`
      const codeOf = (error: { code?: string }) => error.code
      const outcome = await refresh(db, box, name, provider.exchange).then(accessOf, codeOf)
      isReached = statements() >= at
      t.equal(outcome, provider.calls === 0 ? 'connection_lost' : `${mark}_access_1`, title)
      await endLeases()
      t.equal(accessOf(await refresh(serviceDb, box, name, provider.exchange)), `${mark}_access_1`, title)
      t.equal(accessOf(await stored()), `${mark}_access_1`, title)
      t.equal(provider.calls, 1, title)
    }
    t.notOk(isReached, 'all of its statements were tried')
  }
})

t.test('invalid options are rejected before the provider is called', async (t) => {
  const { name } = await connected()
  const { exchange } = new StrictProvider()
  for (const ms of [-1, 0.5, Number.NaN, 86_400_001]) {
    await t.rejects(refresh(serviceDb, box, name, exchange, { timeoutMs: ms }), { name: 'RangeError' }, String(ms))
  }
  await t.rejects(refresh(serviceDb, box, { ...name, provider: 'fly' }, exchange), { code: 'not_found' })
})
