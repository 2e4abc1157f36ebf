import { randomBytes, randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { DataKeyCache } from '../../db/secrets/crypto/cache.ts'
import { keyIdOf, kmsKeys, SecretBox } from '../../db/secrets/index.ts'
import type { SealedSecret } from '../../db/secrets/index.ts'
import { TestKms } from '../fixtures/kms.ts'
import type { Fault } from '../fixtures/kms.ts'
import { context, contexts, inEnvironment, cacheLimits, secret, startKms } from '../fixtures/secret_boxes.ts'
import { timeLimit } from '../fixtures/until.ts'

interface Expected {
  readonly code: string
  readonly isRetrySafe: boolean
}

const tampered = { code: 'secret_tampered', isRetrySafe: false }
const notAccepted = { code: 'key_not_accepted', isRetrySafe: false }
const unusable = { code: 'key_unusable', isRetrySafe: false }
const denied = { code: 'key_access_denied', isRetrySafe: false }
const throttled = { code: 'key_throttled', isRetrySafe: true }
const unavailable = { code: 'key_service_unavailable', isRetrySafe: true }
const misused = { code: 'invalid_secret_use', isRetrySafe: false }

interface Case {
  readonly fault: Fault
  /** The error if the fault occurs once; undefined if a retry succeeds. */
  readonly once: Expected | undefined
  readonly forever: Expected
}

const answered: readonly Case[] = [
  { fault: { error: 'KMSInternalException' }, once: undefined, forever: unavailable },
  { fault: { error: 'DependencyTimeoutException' }, once: undefined, forever: unavailable },
  { fault: { error: 'KeyUnavailableException' }, once: undefined, forever: unavailable },
  { fault: { error: 'AccessDeniedException' }, once: denied, forever: denied },
  { fault: { error: 'DisabledException' }, once: unusable, forever: unusable },
  { fault: { error: 'NotFoundException' }, once: unusable, forever: unusable },
  { fault: { error: 'InvalidKeyUsageException' }, once: unusable, forever: unusable },
  { fault: { error: 'ValidationException' }, once: unusable, forever: unusable },
  { fault: { error: 'ExpiredTokenException' }, once: unavailable, forever: unavailable },
  { fault: { error: 'UnrecognizedClientException' }, once: unavailable, forever: unavailable },
  { fault: 'drop', once: undefined, forever: unavailable },
  { fault: 'page', once: undefined, forever: unavailable },
  { fault: 'tail', once: unavailable, forever: unavailable },
  // The SDK waits longer between these retries: up to three seconds in total.
  { fault: { error: 'ThrottlingException' }, once: undefined, forever: throttled },
]

/** Faults that only the deadline ends. */
const unanswered: readonly Case[] = [
  { fault: 'hang', once: undefined, forever: unavailable },
  { fault: 'stall', once: unavailable, forever: unavailable },
]

/** Applies each fault to every call of a separate box, concurrently. */
async function assertFaults(t: Test, cases: readonly Case[], deadlineMs: number): Promise<void> {
  const ends = async (title: string, call: () => Promise<unknown>, error: Expected | undefined): Promise<void> => {
    const isTooLate = timeLimit(deadlineMs + 1000)
    await (error === undefined ? t.resolves(call, title) : t.rejects(call, error, title))
    t.notOk(isTooLate(), `${title}: in time`)
  }
  await Promise.all(
    cases.map(async ({ fault, once, forever }) => {
      const { kms, arn, boxOf } = await startKms(t)
      kms.keys.pointAlias('alias/leo', arn)
      const box = boxOf({ sealWith: 'alias/leo', deadlineMs })
      const sealed = await boxOf().seal(context, secret())
      const calls = {
        seal: () => box.seal(context, secret()),
        open: () => box.open(context, sealed),
        rewrap: () => box.rewrap(context, sealed),
        currentKeyId: () => box.currentKeyId(),
      }
      const title = JSON.stringify(fault)
      kms.injectFault(fault, { times: 1 })
      await ends(`${title} once, open`, calls.open, once)
      kms.injectFault(fault)
      await Promise.all(
        Object.entries(calls).map(([name, call]) => ends(`${title} for ever, ${name}`, call, forever)),
      )
      kms.clearFaults()
      await t.resolves(calls.open, `${title} is over`)
    }),
  )
}

t.test('each fault that KMS or the network reports has its error code', (t) => assertFaults(t, answered, 20_000))

t.test('a fault that is not reported ends at the deadline', (t) => assertFaults(t, unanswered, 1500))

t.test('a missing endpoint and missing credentials are key_service_unavailable', async (t) => {
  const { kms, boxOf, box } = await startKms(t)
  const sealed = await box.seal(context, secret())
  await inEnvironment({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }, async () => {
    await t.rejects(boxOf().open(context, sealed), unavailable)
  })
  const port = Number(new URL(kms.endpoint).port)
  await kms.stop()
  await t.rejects(boxOf().open(context, sealed), { ...unavailable, cause: { code: 'ECONNREFUSED' } })
  await t.resolves(
    TestKms.start(port).then((again) => again.stop()),
    'the port was free',
  )
})

t.test('a prepared key seals a value while KMS is unavailable', async (t) => {
  const [id, material] = [randomUUID(), randomBytes(32)]
  const kms = await TestKms.start()
  const arn = kms.keys.create(id, material)
  const { boxOf } = await startKms(t)
  const box = boxOf({ sealWith: arn, accept: [arn], endpoint: kms.endpoint })
  const [prepared, unused] = [await box.prepare(context), await box.prepare(context)]
  await kms.stop()
  await t.rejects(box.seal(context, secret()), unavailable)
  const sealed = prepared.seal(secret('the new token'))
  t.throws(() => prepared.seal(secret()), misused, 'once')
  unused.discard()
  t.throws(() => unused.seal(secret()), misused, 'not after discard()')

  const again = await TestKms.start(Number(new URL(kms.endpoint).port))
  t.teardown(() => again.stop())
  again.keys.create(id, material)
  t.equal((await box.open(context, sealed)).reveal(), 'the new token')
  await t.rejects(box.open(contexts['of another user'], sealed), tampered)
})

t.test('only accepted keys seal and open', async (t) => {
  const { kms, arn, box, boxOf } = await startKms(t)
  const second = kms.keys.create()
  const sealed = await box.seal(context, secret())
  const byOther = await boxOf({ sealWith: second, accept: [second] }).seal(context, secret())
  kms.takeCalls()
  await t.rejects(box.open(context, byOther), notAccepted)
  await t.rejects(box.rewrap(context, byOther), notAccepted)
  t.equal(kms.takeCalls(), 0, 'without a call of KMS')
  const both = boxOf({ sealWith: second, accept: [arn, second] })
  t.equal((await both.open(context, sealed)).reveal(), secret().reveal())
  t.equal((await both.open(context, byOther)).reveal(), secret().reveal())
  await t.rejects(both.open(context, sealed.replace(arn, second) as SealedSecret), tampered, 'each secret by its own key')
})

t.test('invalid options are rejected at once', (t) => {
  const arn = 'arn:aws:kms:eu-central-1:111122223333:key/mrk-1'
  const other = arn.replace('eu-central-1', 'us-east-1')
  for (const [sealWith, accept] of [
    [arn, []],
    [arn, [other]],
    [arn, [arn, other]],
    [arn, ['alias/leo']],
    ['alias/leo', ['alias/leo']],
    ['1234', ['1234']],
  ] as const) {
    t.throws(() => kmsKeys({ sealWith, accept }), misused, `${sealWith} of ${accept}`)
  }
  t.ok(kmsKeys({ sealWith: 'alias/leo', accept: [arn] }))
  t.end()
})

t.test('in production KMS is called with TLS only', async (t) => {
  const { kms, boxOf } = await startKms(t)
  const insecure = { code: 'insecure_in_production', isRetrySafe: false }
  await inEnvironment({ NODE_ENV: 'production' }, async () => {
    await t.rejects(boxOf().seal(context, secret()), insecure)
    const byTls = boxOf({ endpoint: kms.endpoint.replace('http:', 'https:') })
    await t.rejects(byTls.seal(context, secret()), unavailable, 'https is tried')
  })
  const arn = kms.keys.create()
  await inEnvironment({ AWS_ENDPOINT_URL_KMS: kms.endpoint }, async () => {
    const box = new SecretBox(kmsKeys({ sealWith: arn, accept: [arn] }))
    await t.resolves(box.seal(context, secret()), 'an endpoint of the environment is used')
    await inEnvironment({ NODE_ENV: 'production' }, async () => {
      await t.rejects(box.seal(context, secret()), insecure, 'and is checked as well')
    })
    box.close()
  })
})

t.test('a key that is disabled, pending deletion or deleted is key_unusable', async (t) => {
  const { kms, arn, box, boxOf } = await startKms(t)
  const second = kms.keys.create()
  const sealed = await box.seal(context, secret())
  const both = boxOf({ sealWith: second, accept: [arn, second] })
  const byOther = await both.seal(context, secret())
  for (const state of ['Disabled', 'PendingDeletion'] as const) {
    kms.keys.setState(arn, state)
    await t.rejects(box.seal(context, secret()), unusable, state)
    await t.rejects(both.open(context, sealed), unusable, state)
    await t.rejects(both.rewrap(context, sealed), unusable, state)
    await t.resolves(both.open(context, byOther), 'secrets of other keys can be opened')
  }
  kms.keys.setState(arn, 'Enabled')
  await t.resolves(both.open(context, sealed))
  kms.keys.remove(arn)
  await t.rejects(both.open(context, sealed), unusable)
})

t.test('stored secrets can be opened after a rotation by KMS and a move of the alias', async (t) => {
  const { kms, arn, boxOf } = await startKms(t)
  const second = kms.keys.create()
  kms.keys.pointAlias('alias/leo', arn)
  const box = boxOf({ sealWith: 'alias/leo', accept: [arn, second] })
  const narrow = boxOf({ sealWith: 'alias/leo' })
  const sealed = await box.seal(context, secret())
  kms.keys.rotate(arn)
  t.equal((await box.open(context, sealed)).reveal(), secret().reveal())
  t.equal(keyIdOf(await box.seal(context, secret())), arn)

  kms.keys.pointAlias('alias/leo', second)
  t.equal(await box.currentKeyId(), second)
  t.equal((await box.open(context, sealed)).reveal(), secret().reveal())
  t.equal(keyIdOf(await box.seal(context, secret())), second)
  t.equal(keyIdOf(await box.rewrap(context, sealed)), second)
  await t.rejects(narrow.seal(context, secret()), notAccepted, 'a key that is not accepted does not seal')
  await t.rejects(narrow.rewrap(context, sealed), notAccepted)
  await t.rejects(narrow.currentKeyId(), notAccepted)
})

t.test('a re-wrap changes the key and does not need kms:Decrypt', async (t) => {
  const { kms, arn, box, boxOf } = await startKms(t)
  const second = kms.keys.create()
  const sealed = await box.seal(context, secret())
  const both = boxOf({ sealWith: second, accept: [arn, second] })
  for (const key of [arn, second]) {
    kms.keys.deny('Decrypt', key)
    kms.keys.deny('GenerateDataKey', key)
  }
  await t.rejects(both.open(context, sealed), denied)
  const rewrapped = await both.rewrap(context, sealed)
  t.equal(keyIdOf(rewrapped), second)
  t.equal(rewrapped.split('.')[4], sealed.split('.')[4], 'the ciphertext is the same')
  kms.keys.allow('Decrypt', second)
  t.equal((await both.open(context, rewrapped)).reveal(), secret().reveal())
  kms.keys.deny('ReEncryptFrom', arn)
  await t.rejects(both.rewrap(context, sealed), denied)
})

const readers = (box: SecretBox, sealed: SealedSecret, count = 50): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, () => box.open(context, sealed)))

t.test('fifty concurrent reads are one call of KMS with a cache', async (t) => {
  const { kms, boxOf } = await startKms(t)
  // A retry would be counted as a call; a busy machine may need more than the default deadline.
  const withoutRetries = { deadlineMs: 60_000 }
  const box = boxOf(withoutRetries)
  const sealed = await box.seal(context, secret())
  kms.takeCalls()
  await readers(box, sealed)
  t.equal(kms.takeCalls('Decrypt'), 50, 'and fifty calls without')
  const cached = boxOf(withoutRetries, { cache: cacheLimits })
  await readers(cached, sealed)
  t.equal(kms.takeCalls(), 1)
  await readers(cached, sealed)
  t.equal(kms.takeCalls(), 0)
})

t.test('a failed load rejects all waiting calls and is not cached', async (t) => {
  const { kms, box, boxOf } = await startKms(t)
  const sealed = await box.seal(context, secret())
  const cached = boxOf({}, { cache: cacheLimits })
  kms.injectFault({ error: 'AccessDeniedException' }, { times: 1 })
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => cached.open(context, sealed)))
  t.ok(results.every(({ status }) => status === 'rejected'))
  await t.resolves(cached.open(context, sealed))
})

t.test('keys are cached up to maxAgeMs and maxKeys', async (t) => {
  const { kms, box, boxOf } = await startKms(t)
  const sealed = await Promise.all([1, 2, 3].map((n) => box.seal(context, secret(String(n)))))
  const calls = async (cached: SecretBox, ...order: number[]): Promise<number> => {
    kms.takeCalls()
    for (const index of order) t.equal((await cached.open(context, sealed[index]!)).reveal(), String(index + 1))
    return kms.takeCalls()
  }
  const two = boxOf({}, { cache: { maxKeys: 2, maxAgeMs: 60_000 } })
  t.equal(await calls(two, 0, 1, 0, 2, 0), 3, 'the least recently used one is evicted first')
  t.equal(await calls(two, 1), 1)
  // So long that two calls fit into it, as busy as the machine is.
  const before = performance.now()
  await calls(boxOf({}, { cache: { maxKeys: 1, maxAgeMs: 60_000 } }), 0, 0)
  const maxAgeMs = 200 + Math.ceil(10 * (performance.now() - before))
  const brief = boxOf({}, { cache: { maxKeys: 2, maxAgeMs } })
  t.equal(await calls(brief, 0, 0), 1)
  await pause(maxAgeMs + 50)
  t.equal(await calls(brief, 0), 1)
  const one = boxOf({}, { cache: { maxKeys: 1, maxAgeMs: 60_000 } })
  const crowd = Array.from({ length: 60 }, (_, n) => one.open(context, sealed[n % 3]!))
  for (const [n, value] of (await Promise.all(crowd)).entries()) {
    t.equal(value.reveal(), String((n % 3) + 1), 'an eviction does not affect waiting calls')
  }
})

t.test('an evicted key is overwritten when its last user has finished', async (t) => {
  const cache = new DataKeyCache({ maxKeys: 1, maxAgeMs: 60_000 })
  const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const copy = (key: Uint8Array): Buffer => Buffer.from(key)
  const used = cache.withKey('1', () => pause(20, first), copy)
  t.strictSame(await cache.withKey('2', async () => second, copy), Buffer.alloc(32, 2))
  t.strictSame(await used, Buffer.alloc(32, 1), 'evicted while a call waits for it')
  t.strictSame(first, Buffer.alloc(32))
  t.strictSame(second, Buffer.alloc(32, 2), 'kept')
  cache.clear()
  t.strictSame(second, Buffer.alloc(32))
})
