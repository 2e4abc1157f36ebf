import Module from 'node:module'
import t from 'tap'
import type { Test } from 'tap'
import * as root from '../../db/index.ts'
import { devKeys, keyIdOf, parseSealedSecret, SecretBox, SecretValue } from '../../db/secrets/index.ts'
import { secretToTokens, tokensToSecret } from '../../db/secrets/index.ts'
import type { KeyProvider, SealedSecret, SecretContext } from '../../db/secrets/index.ts'
import type { UserId } from '../../types/index.ts'
import { createMigratedDatabase, service } from '../fixtures/database.ts'
import { insertRow, only } from '../fixtures/rows.ts'
import { context, contexts, devBox, inEnvironment, cacheLimits, secret, startKms } from '../fixtures/secret_boxes.ts'

const loaded = (): string[] =>
  Object.keys((Module as unknown as { _cache: object })._cache).filter((name) => /@aws-sdk|@smithy/.test(name))

t.test('the client of KMS is loaded at the first use, not at import', async (t) => {
  t.type(root.createClient, 'function')
  const { box } = await startKms(t)
  await devBox().seal(context, secret())
  t.strictSame(loaded(), [])
  await box.seal(context, secret())
  t.not(loaded().length, 0)
})

const { box: kmsBox, boxOf, kms, arn } = await startKms(t)
const schemes: Readonly<Record<string, SecretBox>> = { dev: devBox(), kms: kmsBox }
const base64url = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const other = (character: string): string => (character === 'A' ? 'B' : 'A')
const refused = /^(secret_(tampered|malformed|not_encrypted)|key_not_accepted)$/

/** Forged texts: each part changed, truncated, emptied, or taken from another row. */
function* forgeries(sealed: string, foreign: string): Generator<[string, SealedSecret]> {
  const parts = sealed.split('.')
  for (const [index, part] of parts.entries()) {
    const changed = (text: string): SealedSecret => parts.with(index, text).join('.') as SealedSecret
    for (const at of new Set([0, 1, part.length >> 1, part.length - 2, part.length - 1])) {
      yield [`part ${index}, character ${at}`, changed(part.slice(0, at) + other(part.charAt(at)) + part.slice(at + 1))]
    }
    yield [`part ${index} without its beginning`, changed(part.slice(1))]
    yield [`part ${index} without its end`, changed(part.slice(0, -1))]
    yield [`part ${index} empty`, changed('')]
    yield [`part ${index} twice`, changed(part + part)]
    // The last character of base64 may have unused bits.
    const ends = index < 3 ? '' : base64url.replace(part.slice(-1), '')
    for (const end of ends) yield [`part ${index} ending with ${end}`, changed(part.slice(0, -1) + end)]
    const theirs = foreign.split('.')[index]
    if (theirs !== undefined && theirs !== part) yield [`part ${index} of another one`, changed(theirs)]
  }
  yield ['an additional part', `${sealed}.AAAA` as SealedSecret]
  yield ['a missing part', parts.slice(0, -1).join('.') as SealedSecret]
  yield ['an additional line', `${sealed}\n` as SealedSecret]
}

for (const [scheme, box] of Object.entries(schemes)) {
  t.test(`${scheme}: a sealed secret is opened for its row`, async (t) => {
    const sealed = await box.seal(context, secret('hush'))
    t.match(sealed, new RegExp(`^leo1\\.${scheme}\\.`))
    t.equal(keyIdOf(sealed), await box.currentKeyId())
    t.equal((await box.open(context, sealed)).reveal(), 'hush')
    t.not(await box.seal(context, secret('hush')), sealed, 'two seals of one value differ')
  })

  t.test(`${scheme}: a change of any part is detected`, async (t) => {
    const sealed = await box.seal(context, secret())
    const foreign = await box.seal(context, secret('another'))
    for (const [title, forged] of forgeries(sealed, foreign)) {
      await t.rejects(box.open(context, forged), { code: refused, isRetrySafe: false }, title)
    }
    t.equal((await box.open(context, sealed)).reveal(), secret().reveal())
  })

  t.test(`${scheme}: values of 1 byte to 64 KiB`, async (t) => {
    for (const length of [1, 2, 11, 12, 13, 4095, 4096, 4097, 65_535, 65_536]) {
      const text = 'x'.repeat(length)
      t.ok((await box.open(context, await box.seal(context, secret(text)))).reveal() === text, `${length} bytes`)
    }
  })

  t.test(`${scheme}: values of every plane of Unicode`, async (t) => {
    for (let plane = 0; plane <= 16; plane += 1) {
      const first = plane * 0x10000
      const text = String.fromCodePoint(first, first + 0x41, first + 0x301, first + 0xfffd, first + 0xffff)
      t.equal((await box.open(context, await box.seal(context, secret(text)))).reveal(), text, `plane ${plane}`)
    }
    const large = '𐍈'.repeat(16_384)
    t.ok((await box.open(context, await box.seal(context, secret(large)))).reveal() === large)
  })
}

t.test('a text that is empty, too long or not well-formed is not a secret', (t) => {
  for (const text of ['', 'x'.repeat(65_537), '𐍈'.repeat(16_384) + 'x', '\ud800x', 'x\udfff', '\udfff\ud800']) {
    t.throws(() => new SecretValue(text), { code: 'invalid_secret_use' }, `${text.length} units`)
  }
  t.equal(new SecretValue('\0').reveal(), '\0')
  t.end()
})

const swaps = async (t: Test, box: SecretBox): Promise<void> => {
  for (const [title, written] of Object.entries(contexts)) {
    const sealed = await box.seal(written, secret())
    t.equal((await box.open(written, sealed)).reveal(), secret().reveal(), title)
    for (const [elsewhere, read] of Object.entries(contexts)) {
      if (read === written) continue
      await t.rejects(box.open(read, sealed), { code: 'secret_tampered' }, `${title}, moved to ${elsewhere}`)
      await t.rejects(box.rewrap(read, sealed), { code: 'secret_tampered' }, `${title}, re-wrapped for ${elsewhere}`)
    }
  }
}

t.test('a secret that was moved to another row cannot be opened there', async (t) => {
  await swaps(t, schemes['dev'] as SecretBox)
  await swaps(t, kmsBox)
})

t.test('the cipher authenticates row and scheme even if the key provider does not', async (t) => {
  const careless = (scheme: KeyProvider['scheme']): SecretBox => {
    const plain = async () => Buffer.alloc(32, 7)
    const generate = async () => ({ keyId: 'any', wrapped: Buffer.of(1), plain: await plain() })
    const [assertAccepts, currentKeyId, close] = [() => undefined, async () => 'any', () => undefined]
    return new SecretBox({ scheme, generate, unwrap: plain, rewrap: generate, assertAccepts, currentKeyId, close })
  }
  const sealed = await careless('kms').seal(context, secret())
  t.equal((await careless('kms').open(context, sealed)).reveal(), secret().reveal())
  for (const [title, elsewhere] of Object.entries(contexts)) {
    if (elsewhere === context) continue
    await t.rejects(careless('kms').open(elsewhere, sealed), { code: 'secret_tampered' }, title)
  }
  const renamed = sealed.replace('.kms.', '.dev.') as SealedSecret
  await t.rejects(careless('dev').open(context, renamed), { code: 'secret_tampered' })
})

t.test('a secret that was moved or changed cannot be opened with a cached data key either', async (t) => {
  const warm = boxOf({}, { cache: cacheLimits })
  await swaps(t, warm)
  const sealed = await warm.seal(context, secret())
  const foreign = await warm.seal(context, secret('another'))
  for (const one of [sealed, foreign]) await warm.open(context, one)
  kms.takeCalls()
  for (const [title, forged] of forgeries(sealed, foreign)) {
    await t.rejects(warm.open(context, forged), { code: refused }, title)
  }
  kms.takeCalls()
  await warm.open(context, sealed)
  t.equal(kms.takeCalls(), 0, 'the data key is still cached')
  await t.rejects(warm.open(contexts['of another user'], sealed), { code: 'secret_tampered' })
  t.equal(kms.takeCalls(), 1, 'another row is another entry of the cache')
})

t.test('a context that no row can have is rejected', async (t) => {
  const box = devBox()
  const impossible: readonly SecretContext[] = [
    { ...contexts.mine, user_id: '' as UserId },
    { ...contexts.mine, user_id: contexts.mine.user_id.toUpperCase() as UserId },
    { ...contexts.mine, provider: 'GitHub' },
    { ...contexts.mine, provider: 'git hub' },
    { ...contexts.mine, provider: 'a'.repeat(65) },
    { table: 'deployment_config', key: '' },
    { table: 'deployment_config', key: '1' },
    { table: 'deployment_config', key: 'a\n' },
  ]
  for (const one of impossible) {
    await t.rejects(box.seal(one, secret()), { code: 'invalid_secret_use' }, JSON.stringify(one))
  }
})

t.test('a text with the format of a sealed secret is accepted as one', async (t) => {
  const sealed = await devBox().seal(context, secret())
  t.equal(parseSealedSecret(sealed), sealed)
  for (const text of ['', 'gho_plain', 'leo', 'LEO1.dev.a.b.c', ` ${sealed}`]) {
    t.throws(() => parseSealedSecret(text), { code: 'secret_not_encrypted' }, text)
  }
  for (const text of ['leo1.', 'leo2.dev.a.b.c', 'leo1.dev.a.b.c', `${sealed}=`, sealed.replace('.dev.', '.DEV.')]) {
    t.throws(() => parseSealedSecret(text), { code: 'secret_malformed' }, text)
  }
})

t.test('the development key neither seals nor opens in production', async (t) => {
  const box = devBox()
  const sealed = await box.seal(context, secret())
  const insecure = { code: 'insecure_in_production', isRetrySafe: false }
  for (const NODE_ENV of [undefined, '', 'production', 'staging', 'Test', 'test ', 'development,test']) {
    await inEnvironment({ NODE_ENV }, async () => {
      t.throws(devKeys, insecure, String(NODE_ENV))
      await t.rejects(box.seal(context, secret()), insecure)
      await t.rejects(box.open(context, sealed), insecure)
      await t.rejects(box.rewrap(context, sealed), insecure)
      await t.rejects(kmsBox.open(context, sealed), insecure)
    })
  }
  for (const NODE_ENV of ['development', 'test']) {
    await inEnvironment({ NODE_ENV }, () => t.resolves(devBox().open(context, sealed)))
  }
  const notAccepted = { code: 'key_not_accepted' }
  await t.rejects(kmsBox.open(context, sealed), notAccepted, 'KMS keys cannot open its secrets')
  await t.rejects(box.open(context, await kmsBox.seal(context, secret())), notAccepted, 'and it cannot open theirs')
})

t.test('a set of tokens is encoded as one secret', async (t) => {
  const tokens = {
    access_token: secret('gho_access'),
    refresh_token: secret('ghr_refresh'),
    scope: 'repo user',
    token_type: 'bearer',
    expires_at: new Date('2026-11-22T10:11:12.345Z'),
  }
  const read = secretToTokens(tokensToSecret(tokens))
  t.strictSame({ ...read, access_token: 0, refresh_token: 0 }, { ...tokens, access_token: 0, refresh_token: 0 })
  t.equal(read.access_token.reveal(), 'gho_access')
  t.equal(read.refresh_token?.reveal(), 'ghr_refresh')
  t.strictSame(Object.keys(secretToTokens(tokensToSecret({ access_token: secret() }))), ['access_token'])
  const others = ['gho_access', '"gho"', '[]', 'null', '{}', '{"access_token":1}']
  for (const text of [...others, '{"access_token":"a","expires_at":"b"}']) {
    t.throws(() => secretToTokens(secret(text)), { code: 'secret_malformed', cause: undefined }, text)
  }
})

t.test('the database accepts sealed secrets, and reads the id of their key', async (t) => {
  const db = await createMigratedDatabase(t)
  const user_id = root.parseUserId(await db.signUp())
  const context: SecretContext = { table: 'user_secrets', user_id, provider: 'github' }
  for (const [scheme, box] of Object.entries(schemes)) {
    for (const text of ['x', 'x'.repeat(65_536)]) {
      const stored = await db.tryAs(service, async (client) => {
        const encrypted_token = await box.seal(context, secret(text))
        await insertRow(client, 'user_secrets', { user_id, provider: 'github', encrypted_token })
        return only(
          await client.query<{ sealed: SealedSecret; key_id: string }>(
            `select encrypted_token as sealed, split_part(encrypted_token, '.', 3) as key_id from user_secrets`,
          ),
        )
      })
      t.equal(stored.key_id, await box.currentKeyId(), scheme)
      t.ok((await box.open(context, stored.sealed)).reveal() === text)
    }
  }
})

t.test('a re-wrap does not change the substance of a setting', async (t) => {
  const db = await createMigratedDatabase(t)
  const context: SecretContext = { table: 'deployment_config', key: 'token' }
  const second = kms.keys.create()
  const sealed = await kmsBox.seal(context, secret())
  const rewrapped = await boxOf({ sealWith: second, accept: [arn, second] }).rewrap(context, sealed)
  const substanceOf = async (value: string): Promise<unknown> => {
    await insertRow(db.owner, 'deployment_config', { key: 'token', value, encrypted: true })
    return (await db.owner.query('delete from deployment_config as c returning private.config_substance(c)')).rows
  }
  t.not(rewrapped, sealed)
  t.equal(keyIdOf(rewrapped), second)
  t.strictSame(await substanceOf(rewrapped), await substanceOf(sealed))
})
