import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { createPool, createServiceClient, parseUserId } from '../../db/index.ts'
import { RefreshNotSavedError, RefreshRejectedError, secretToTokens, user_secrets } from '../../db/secrets/index.ts'
import type { TokenSet } from '../../db/secrets/index.ts'
import { releaseLease, renewLease, takeLease } from '../../db/secrets/refresh/lease.ts'
import type { Exchange } from '../../db/secrets/user_secrets.ts'
import { createClients } from '../fixtures/clients.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { startProxy } from '../fixtures/proxy.ts'
import { accessOf, connectExpired, mark, StrictProvider, tokensOf } from './fixtures/refreshing.ts'
import { devBox, secret, startKms } from '../fixtures/secret_boxes.ts'
import { loginTo, logins } from '../fixtures/server.ts'
import { until } from '../fixtures/until.ts'

const test = await createTestDatabase(t)
const { serviceDb } = createClients(t, test)
const box = devBox()
const { refresh, saveRefresh } = user_secrets
const isLeased = async (): Promise<boolean> =>
  (await test.owner.query('select from private.secret_refreshes where holder is not null')).rowCount !== 0
const endLeases = () =>
  test.owner.query(`update private.secret_refreshes set expires_at = '-infinity' where holder is not null`)

/** A user whose token has expired, and what is stored for them. */
async function connected() {
  const user_id = parseUserId(await test.signUp())
  await connectExpired(serviceDb, box, user_id)
  const name = { user_id, provider: 'github' }
  const stored = async (): Promise<TokenSet> => secretToTokens((await user_secrets.get(serviceDb, box, name)).value)
  return { name, stored }
}

/** For those who wait for an event of the test, however long that takes. */
const patient = { timeoutMs: 600_000, leaseMs: 600_000 }

/** `ms` and ten times what a refresh takes now, so that the provider is asked before that is over on a busy machine too. */
async function longEnough(ms: number): Promise<number> {
  const { name } = await connected()
  const before = performance.now()
  await refresh(serviceDb, box, name, new StrictProvider().exchange)
  return ms + Math.ceil(10 * (performance.now() - before))
}

/** Something that happens when somebody else wants it to. */
function gate() {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

t.test('tokens that are fresh, or never expire, are returned as they are', async (t) => {
  const { name } = await connected()
  const asked = new Error('the provider was asked')
  const never: Exchange = () => Promise.reject(asked)
  await t.rejects(refresh(serviceDb, box, name, never), asked, 'those that have expired are not')
  await user_secrets.put(serviceDb, box, { ...name, tokens: tokensOf(1, 90_000) })
  t.equal(accessOf(await refresh(serviceDb, box, name, never)), `${mark}_access_1`)
  await t.rejects(refresh(serviceDb, box, name, never, { earlyMs: 100_000 }), asked)
  await user_secrets.put(serviceDb, box, { ...name, tokens: { access_token: secret('for ever') } })
  t.equal(accessOf(await refresh(serviceDb, box, name, never, { earlyMs: 86_400_000 })), 'for ever')
})

t.test('many who ask at once ask the provider once, and hold no connection while they wait', async (t) => {
  const { name, stored } = await connected()
  const provider = new StrictProvider()
  const { open, opened } = gate()
  const slowly: Exchange = async (tokens) => {
    await opened
    return provider.exchange(tokens)
  }
  const all = Array.from({ length: 30 }, () => refresh(serviceDb, box, name, slowly, patient))
  await until('one has the lease', isLeased)
  // The pool has three connections: if waiting took one, this would not come through.
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
  t.notOk(await isLeased(), 'the lease is given back')

  const without = await connected()
  const another = new StrictProvider()
  const alone = async () => another.exchange(await without.stored())
  const outcomes = await Promise.allSettled([alone(), alone(), alone(), alone(), alone()])
  t.equal(outcomes.filter(({ status }) => status === 'rejected').length, 4, 'without a lease the others are refused')
})

t.test('those who wait take tokens that expire soon again, too', async (t) => {
  const { name } = await connected()
  const provider = new StrictProvider(1_000)
  const { db, statements } = databaseWith(t, async () => undefined)
  // Whoever first looks only when the new ones are there would find them about to expire, and rightly ask again. The pool
  // serves in turn: of five that read and then ask for the lease, all have read before the tenth statement.
  const slowly: Exchange = async (old) => {
    await until('all five wait', () => statements() >= 10)
    return provider.exchange(old)
  }
  const all = Array.from({ length: 5 }, () => refresh(db, box, name, slowly, { ...patient, earlyMs: 60_000 }))
  t.strictSame(new Set((await Promise.all(all)).map(accessOf)), new Set([`${mark}_access_1`]))
  t.equal(provider.calls, 1)
})

t.test('what the provider does not grant anew is kept', async (t) => {
  const { name, stored } = await connected()
  await refresh(serviceDb, box, name, async () => ({ access_token: secret('new') }))
  const { access_token, refresh_token, ...others } = await stored()
  t.equal(access_token.reveal(), 'new')
  t.equal(refresh_token?.reveal(), `${mark}_refresh_0`)
  t.strictSame(others, { scope: 'repo' }, 'when they expire is of the new ones')
})

t.test('a refusal is remembered of that token, until the user connects anew', async (t) => {
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
  t.equal(await listed(), 0, 'whoever refreshes in advance leaves it alone')
  await connectExpired(serviceDb, box, name.user_id)
  t.equal(await listed(), 1)
  t.equal(accessOf(await refresh(serviceDb, box, name, new StrictProvider().exchange)), `${mark}_access_1`)
})

t.test('another error of the exchange is thrown on, and the next one tries at once', async (t) => {
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

t.test('one who lost the lease stores what it got, unless there is something newer', async (t) => {
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
  t.equal(accessOf(await refused), `${mark}_access_7`, 'whoever took over and was refused reads it')
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

t.test('a token that is re-wrapped meanwhile is the same token', async (t) => {
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

t.test('a connection that is cut meanwhile stays cut, and the new token can be revoked', async (t) => {
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

t.test('who waits too long is told so, and what the provider says later is stored', async (t) => {
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
  t.ok(await isLeased(), 'the exchange may still be going on')
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
  if (breakIt === 'before') kms.breakBy({ error: 'AccessDeniedException' }, { operation: 'GenerateDataKey' })
  const refreshed = refresh(serviceDb, box, { user_id, provider: 'github' }, async (tokens) => {
    await kms.stop()
    return provider.exchange(tokens)
  })
  return { refreshed, provider }
}

t.test('if KMS goes down during the exchange, the new token is stored all the same', async (t) => {
  const { refreshed, provider } = await refreshWithout(t, 'during')
  t.equal(accessOf(await refreshed), `${mark}_access_1`)
  t.equal(provider.calls, 1)
})

t.test('who loses the lease before it has asked the provider leaves that to the other', async (t) => {
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
  await until('another takes the lease from it', async () => (await test.owner.query(update, [user_id])).rowCount === 1)
  const before = statements()
  kms.release()
  await until('it has found the lease lost, and waits', () => statements() > before + 3)
  t.equal(provider.calls, 0, 'the other has died without asking')
  await endLeases()
  t.equal(accessOf(await refreshed), `${mark}_access_1`)
  t.equal(provider.calls, 1)
})

t.test('if it does not work before, the provider is not asked', async (t) => {
  const { refreshed, provider } = await refreshWithout(t, 'before')
  await t.rejects(refreshed, { code: 'key_access_denied' })
  t.equal(provider.calls, 0)
  t.notOk(await isLeased())
})

t.test('if the database goes away during the exchange, the new token is stored when it is back', async (t) => {
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

t.test('if it stays away, whoever asked has the new token, sealed', async (t) => {
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
  t.strictSame(await saveRefresh(serviceDb, error.unsaved), { outcome: 'saved' }, 'twice is as good as once')
  t.equal(accessOf(await stored()), `${mark}_access_1`)
  await user_secrets.put(serviceDb, box, { ...name, tokens: tokensOf(5, 1_000) })
  t.strictSame(await saveRefresh(serviceDb, error.unsaved), { outcome: 'superseded' })
  t.notOk(await isLeased())
})

/** The service's database; before its n-th statement is sent `hook` is run, which may end the connection. */
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

/** The same, whose connection goes at the n-th statement: before it is sent, or before it is answered. */
const databaseThatGoes = (t: Test, at: number, moment: 'unsent' | 'unanswered') =>
  databaseWith(t, async (n, stream, send) => {
    if (n !== at) return
    if (moment === 'unanswered') await send()
    stream.destroy()
    throw new Error('Connection terminated unexpectedly')
  })

t.test('who comes to the lease when another is done finds its tokens', async (t) => {
  const { name } = await connected()
  const provider = new StrictProvider()
  let overtaken = 0
  // Between the first look and the lease.
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

t.test('a lease is one holder\'s until it ends, and can be renewed until another takes it', async (t) => {
  const { name } = await connected()
  const [first, second] = [randomUUID(), randomUUID()]
  t.ok(await takeLease(serviceDb, name, first, 60_000))
  t.notOk(await takeLease(serviceDb, name, second, 60_000))
  t.notOk(await renewLease(serviceDb, name, second, 60_000))
  await releaseLease(serviceDb, name, second)
  t.ok(await renewLease(serviceDb, name, first, 60_000))
  await endLeases()
  t.ok(await renewLease(serviceDb, name, first, 60_000), 'nobody has taken it meanwhile')
  await endLeases()
  t.ok(await takeLease(serviceDb, name, second, 60_000))
  t.notOk(await renewLease(serviceDb, name, first, 60_000))
  await releaseLease(serviceDb, name, second)
  t.notOk(await renewLease(serviceDb, name, second, 60_000), 'somebody may have had it meanwhile')
  t.notOk(await takeLease(serviceDb, { ...name, provider: 'fly' }, first, 60_000), 'there is no such connection')
})

t.test('whenever the connection goes, the provider is asked once, and what it grants is stored', async (t) => {
  for (const moment of ['unsent', 'unanswered'] as const) {
    let isReached = true
    for (let at = 1; isReached && at < 20; at += 1) {
      const { name, stored } = await connected()
      const provider = new StrictProvider()
      const { db, statements } = databaseThatGoes(t, at, moment)
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

t.test('what cannot be is refused before anything is asked', async (t) => {
  const { name } = await connected()
  const { exchange } = new StrictProvider()
  for (const ms of [-1, 0.5, Number.NaN, 86_400_001]) {
    await t.rejects(refresh(serviceDb, box, name, exchange, { timeoutMs: ms }), { name: 'RangeError' }, String(ms))
  }
  await t.rejects(refresh(serviceDb, box, { ...name, provider: 'fly' }, exchange), { code: 'not_found' })
})
