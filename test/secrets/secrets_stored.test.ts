import { CompiledQuery } from 'kysely'
import t from 'tap'
import { asUser, config, createPool, createServiceClient, parseUserId } from '../../db/index.ts'
import type { UserId } from '../../db/index.ts'
import { deployment_config, secretToTokens, user_secrets } from '../../db/secrets/index.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { accessOf, tokensOf } from './fixtures/refreshing.ts'
import { sealed } from '../fixtures/rows.ts'
import { devBox, secret, startKms } from '../fixtures/secret_boxes.ts'
import { clusterAdmin, loginTo, logins } from '../fixtures/server.ts'

const test = await createMigratedDatabase(t)
const { db, serviceDb } = createClients(t, test)
const box = devBox()
const signUp = async (): Promise<UserId> => parseUserId(await test.signUp())

t.test("a user's secret is sealed, stored, and opened for that user", async (t) => {
  const user_id = await signUp()
  const name = { user_id, provider: 'github' }
  t.equal(await user_secrets.find(serviceDb, box, name), undefined)
  await t.rejects(user_secrets.get(serviceDb, box, name), { code: 'not_found' })
  const expires_at = new Date('2027-01-02T03:04:05.678Z')
  const put = await user_secrets.put(serviceDb, box, { ...name, value: secret('hush'), expires_at })
  const { value, ...metadata } = await user_secrets.get(serviceDb, box, name)
  t.equal(value.reveal(), 'hush')
  t.strictSame(metadata, put)
  t.match(metadata, { ...name, expires_at })
  t.notOk(JSON.stringify(await test.owner.query('select * from user_secrets')).includes('hush'))
})

t.test('a second secret replaces the first one and its expiry', async (t) => {
  const user_id = await signUp()
  const name = { user_id, provider: 'github' }
  const { id } = await user_secrets.put(serviceDb, box, { ...name, tokens: tokensOf(1, 60_000) })
  const again = await user_secrets.put(serviceDb, box, { ...name, tokens: { access_token: secret('second') } })
  t.match(again, { id, expires_at: null }, 'the old expiry is not kept')
  const tokens = secretToTokens((await user_secrets.get(serviceDb, box, name)).value)
  t.strictSame(Object.keys(tokens), ['access_token'])
  t.equal(accessOf(tokens), 'second')
  const log = await test.owner.query('select action from user_activity_log where user_id = $1 order by id', [user_id])
  t.strictSame(log.rows, [{ action: 'connect' }, { action: 'replace' }], 'both are actions of the user')
})

t.test('concurrent calls store one of the secrets completely', async (t) => {
  const name = { user_id: await signUp(), provider: 'github' }
  const put = (n: number) => user_secrets.put(serviceDb, box, { ...name, tokens: tokensOf(n, n * 1_000_000) })
  await Promise.all([1, 2, 3, 4, 5, 6].map(put))
  const { value, expires_at } = await user_secrets.get(serviceDb, box, name)
  t.equal(secretToTokens(value).expires_at?.getTime(), expires_at?.getTime())
})

t.test('invalid providers and users are rejected', async (t) => {
  const user_id = await signUp()
  const put = (provider: string, user = user_id) =>
    user_secrets.put(serviceDb, box, { user_id: user, provider, value: secret() })
  for (const provider of ['GitHub', '', 'git hub', 'a'.repeat(65)]) {
    await t.rejects(put(provider), { code: 'invalid_secret_use' }, provider)
  }
  await t.resolves(put('git-hub2'))
  const nobody = parseUserId('00000000-0000-4000-8000-000000000000')
  await t.rejects(put('fly', nobody), { code: 'user_not_found' })
})

t.test('KMS is not called inside a transaction', async (t) => {
  const { kms, box } = await startKms(t)
  const name = { user_id: await signUp(), provider: 'github' }
  const refused = { code: 'invalid_secret_use' }
  await serviceDb.transaction().execute(async (transaction) => {
    const trx = transaction as unknown as typeof serviceDb
    await t.rejects(user_secrets.put(trx, box, { ...name, value: secret() }), refused)
    await t.rejects(user_secrets.find(trx, box, name), refused)
    await t.rejects(user_secrets.refresh(trx, box, name, async (tokens) => tokens), refused)
    await t.rejects(deployment_config.setSecret(trx, box, 'fly.token', secret()), refused)
    await t.rejects(deployment_config.findSecret(trx, box, 'fly.token'), refused)
  })
  t.equal(kms.takeCalls(), 0)
  await user_secrets.put(serviceDb, box, { ...name, value: secret() })
  t.equal(kms.takeCalls(), 1)
})

t.test('users list and delete their own secrets without reading the values', async (t) => {
  const [ada, bob] = [await signUp(), await signUp()]
  for (const user_id of [ada, bob]) {
    for (const provider of ['fly', 'github', 'supabase']) {
      await user_secrets.put(serviceDb, box, { user_id, provider, value: secret('hush') })
    }
  }
  const first = await asUser(db, ada, (trx) => user_secrets.listOwn(trx, { limit: 2 }))
  t.match(first.secrets, [{ user_id: ada, provider: 'fly' }, { user_id: ada, provider: 'github' }])
  t.strictSame(Object.keys(first.secrets[0]!), ['id', 'user_id', 'provider', 'expires_at', 'created_at', 'updated_at'])
  const second = await asUser(db, ada, (trx) => user_secrets.listOwn(trx, { limit: 2, cursor: first.next }))
  t.match(second, { secrets: [{ user_id: ada, provider: 'supabase' }], next: null })

  const cut = () => asUser(db, ada, (trx) => user_secrets.deleteOwn(trx, 'github'))
  t.strictSame(await cut(), { outcome: 'deleted' })
  t.strictSame(await cut(), { outcome: 'not_found' }, 'the secret of another user is not found')
  t.ok(await user_secrets.find(serviceDb, box, { user_id: bob, provider: 'github' }))
  t.strictSame(await user_secrets.delete(serviceDb, { user_id: bob, provider: 'github' }), { outcome: 'deleted' })
  t.strictSame(await user_secrets.delete(serviceDb, { user_id: bob, provider: 'github' }), { outcome: 'not_found' })
})

type Expiring = Awaited<ReturnType<typeof user_secrets.listExpiring>>

t.test('expiring secrets are listed in pages, ordered by expiry', async (t) => {
  await test.owner.query('delete from user_secrets')
  const before = new Date('2030-01-01T00:00:00Z')
  const put = async (expires_at: Date | null) =>
    user_secrets.put(serviceDb, box, { user_id: await signUp(), provider: 'github', value: secret(), expires_at })
  const ids: string[] = []
  for (let n = 0; n < 7; n += 1) ids.push((await put(new Date(1_800_000_000_000))).id)
  // A cursor with milliseconds would skip or repeat these.
  await test.owner.query(
    `update user_secrets as s set expires_at = s.expires_at + u.n * interval '1 microsecond'
     from unnest($1::uuid[]) with ordinality as u (id, n) where s.id = u.id and u.n % 3 <> 0`,
    [ids],
  )
  for (const expires_at of [before, null]) await put(expires_at)
  const found: string[] = []
  let cursor: string | null = null
  do {
    const page = { before, limit: 2, cursor }
    const { secrets, next }: Expiring = await user_secrets.listExpiring(serviceDb, page)
    t.ok(secrets.length <= 2)
    found.push(...secrets.map(({ id }) => id))
    cursor = next
  } while (cursor !== null)
  const inOrder = 'select id from user_secrets where expires_at < $1 order by expires_at, id'
  const { rows } = await test.owner.query<{ id: string }>(inOrder, [before])
  t.strictSame(found, rows.map(({ id }) => id))
  t.equal(found.length, 7)
  await t.rejects(user_secrets.listExpiring(serviceDb, { before, limit: 101 }), { name: 'RangeError' })
})

t.test('listing expiring secrets reads one page of rows', async (t) => {
  await withClient(clusterAdmin(test.name), async (client) => {
    // Disables triggers and foreign keys, which are not tested here.
    await client.query('set session_replication_role = replica')
    await client.query(
      `insert into user_secrets (user_id, provider, encrypted_token, expires_at)
       select gen_random_uuid(), 'github', $1, case when n % 2 = 0 then now() + n * interval '1 second' end
       from generate_series(1, 20000) as n`,
      [sealed()],
    )
    await client.query(`
      insert into private.secret_refreshes (user_id, provider)
      select user_id, provider from user_secrets where expires_at is not null`)
    await client.query('vacuum analyze user_secrets, private.secret_refreshes')
  })
  const sent: CompiledQuery[] = []
  const pool = createPool({ ...loginTo(test.name, logins.leo_worker).pg, max: 1 })
  t.teardown(() => pool.end())
  const logged = createServiceClient(pool, { log: ({ query }) => void sent.push(query) })
  const first = await user_secrets.listExpiring(logged, { before: new Date('2100-01-01'), limit: 100 })
  await user_secrets.listExpiring(logged, { before: new Date('2100-01-01'), limit: 100, cursor: first.next })
  for (const { sql, parameters } of [...sent]) {
    const { rows } = await logged.executeQuery<{ 'QUERY PLAN': string }>(
      CompiledQuery.raw(`explain (analyze, buffers, costs off, timing off) ${sql}`, [...parameters]),
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    t.match(plan, /user_secrets_expires_at_id_expiring_idx/)
    t.notMatch(plan, /Seq Scan|Sort|rows=1000/, plan)
  }
})

t.test('a secret setting is sealed, stored, updated and opened', async (t) => {
  const key = 'github.app_private_key'
  t.equal(await deployment_config.findSecret(serviceDb, box, key), undefined)
  await t.rejects(deployment_config.getSecret(serviceDb, box, key), { code: 'not_found' })
  await deployment_config.setSecret(serviceDb, box, key, secret('first'), { description: 'signs' })
  await deployment_config.setSecret(serviceDb, box, key, secret('second'))
  t.equal((await deployment_config.getSecret(serviceDb, box, key)).reveal(), 'second')
  t.match((await config.list(serviceDb)).settings, [{ key, value: null, encrypted: true, description: 'signs' }])
  await t.rejects(config.get(serviceDb, key), { code: 'config_encrypted' })
})

t.test('a plain setting and a secret one do not replace each other', async (t) => {
  await config.set(serviceDb, { key: 'fly.region', value: 'fra-plain' })
  const refused = { code: 'secret_not_encrypted', isRetrySafe: false }
  await t.rejects(deployment_config.findSecret(serviceDb, box, 'fly.region'), refused)
  await t.rejects(deployment_config.getSecret(serviceDb, box, 'fly.region'), refused)
  await t.rejects(deployment_config.setSecret(serviceDb, box, 'fly.region', secret()), refused)
  t.equal(await config.get(serviceDb, 'fly.region'), 'fra-plain')
  const inHistory = async () => {
    const { changes } = await config.listHistory(serviceDb, { key: 'fly.region' })
    return changes.some(({ old_value, new_value }) => [old_value, new_value].includes('fra-plain'))
  }
  t.ok(await inHistory())
  await config.delete(serviceDb, 'fly.region')
  await deployment_config.setSecret(serviceDb, box, 'fly.region', secret('hush'))
  t.notOk(await inHistory(), 'its plain values are removed from the history')
  await t.rejects(config.set(serviceDb, { key: 'fly.region', value: 'x' }), { code: 'config_encrypted' })
})

t.test('keys are listed with their encrypted flag and without values', async (t) => {
  await test.owner.query('delete from deployment_config')
  for (const key of ['a', 'b', 'c']) await config.set(serviceDb, { key, value: 'x' })
  await deployment_config.setSecret(serviceDb, box, 'd', secret())
  const first = await deployment_config.listKeys(serviceDb, { limit: 3 })
  t.strictSame(first.keys, ['a', 'b', 'c'].map((key) => ({ key, encrypted: false })))
  const second = await deployment_config.listKeys(serviceDb, { limit: 3, cursor: first.next })
  t.strictSame(second, { keys: [{ key: 'd', encrypted: true }], next: null })
})

t.test('a sealed text that was copied to another user, provider or key cannot be opened', async (t) => {
  const [ada, bob] = [await signUp(), await signUp()]
  const mine = { user_id: ada, provider: 'github' }
  const others = [{ user_id: bob, provider: 'github' }, { user_id: ada, provider: 'fly' }]
  for (const name of [mine, ...others]) await user_secrets.put(serviceDb, box, { ...name, value: secret('hush') })
  const mineText = `select encrypted_token from user_secrets where user_id = $1 and provider = 'github'`
  const { rows } = await test.owner.query<{ encrypted_token: string }>(mineText, [ada])
  const move = 'update user_secrets set encrypted_token = $1, expires_at = now() where user_id in ($2, $3)'
  await test.owner.query(move, [rows[0]!.encrypted_token, ada, bob])
  await deployment_config.setSecret(serviceDb, box, 'k1', secret('hush'))
  await deployment_config.setSecret(serviceDb, box, 'k2', secret('other'))
  await test.owner.query(`
    update deployment_config as c set value = o.value from deployment_config as o where c.key = 'k2' and o.key = 'k1'`)
  const tampered = { code: 'secret_tampered', isRetrySafe: false }
  for (const name of others) {
    await t.rejects(user_secrets.get(serviceDb, box, name), tampered)
    let isAsked = false
    const ask = async () => ((isAsked = true), tokensOf(1, 1))
    await t.rejects(user_secrets.refresh(serviceDb, box, name, ask), tampered)
    t.notOk(isAsked)
  }
  await t.rejects(deployment_config.getSecret(serviceDb, box, 'k2'), tampered)
  t.equal((await user_secrets.get(serviceDb, box, mine)).value.reveal(), 'hush', 'the original can be opened')
  t.equal((await deployment_config.getSecret(serviceDb, box, 'k1')).reveal(), 'hush')
})
