import { createHash, randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { examineAudit } from '../../scripts/operate/audit.ts'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { plaintext } from '../fixtures/leaks.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertRow, only, sealed } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const worker = await db.login(logins.leo_worker)

interface Entry {
  readonly id: string
  readonly key: string
  readonly action: string
  readonly old_value: string | null
  readonly new_value: string | null
  readonly old_encrypted: boolean | null
  readonly new_encrypted: boolean | null
  readonly old_key_id: string | null
  readonly new_key_id: string | null
  readonly old_salt: Buffer | null
  readonly new_salt: Buffer | null
  readonly old_digest: Buffer | null
  readonly new_digest: Buffer | null
  readonly actor_role: string
  readonly acting_user_id: string | null
  readonly redacted_at: Date | null
}

const historyOf = async (key: string): Promise<Entry[]> =>
  (await db.owner.query<Entry>('select * from deployment_config_history where key = $1 order by id', [key])).rows

const insert = (key: string, value: string, encrypted = false): Promise<unknown> =>
  insertRow(worker, 'deployment_config', { key, value, encrypted })
const set = (key: string, value: string, encrypted = false): Promise<unknown> =>
  worker.query('update deployment_config set value = $2, encrypted = $3 where key = $1', [key, value, encrypted])
const remove = (key: string): Promise<unknown> => worker.query('delete from deployment_config where key = $1', [key])

const digestOf = (salt: Buffer | null | undefined, text: string): Buffer =>
  createHash('sha256').update(salt!).update(text).digest()
const ciphertext = (value: string): string => value.split('.')[4]!
/** The same plaintext under another wrapped key: only the last part stays. */
const rewrapped = (value: string, keyId = 'other-key'): string =>
  `leo1.kms.${keyId}.${randomBytes(24).toString('base64url')}.${ciphertext(value)}`

/** How many entries have a text in any column. */
async function mentions(client: pg.Client, text: string): Promise<number> {
  const { rowCount } = await client.query(
    'select from deployment_config_history as h where strpos(h::text, $1) > 0',
    [text],
  )
  return rowCount ?? 0
}

t.test('every insert, update and delete of a key is an entry, with both values and who made it', async (t) => {
  const personId = randomUUID()
  await insert('region', 'ams')
  await db.as(service, async (client) => {
    await client.query(`select set_config('leo.acting_user', $1, true)`, [personId])
    await client.query(`update deployment_config set value = 'fra' where key = 'region'`)
  })
  await db.owner.query(`delete from deployment_config where key = 'region'`)
  const plain = { old_encrypted: false, new_encrypted: false }
  t.match(await historyOf('region'), [
    { action: 'insert', old_value: null, new_value: 'ams', old_encrypted: null, actor_role: logins.leo_worker, acting_user_id: null },
    { action: 'update', old_value: 'ams', new_value: 'fra', ...plain, actor_role: 'service_role', acting_user_id: personId },
    { action: 'delete', old_value: 'fra', new_value: null, new_encrypted: null, actor_role: 'postgres', acting_user_id: null },
  ])
})

t.test('a digest is SHA-256 of salt and value, and what one entry leaves the next finds', async (t) => {
  await insert('digests', 'één')
  await set('digests', '')
  await remove('digests')
  const [first, second, third] = await historyOf('digests')
  t.equal(first?.new_salt?.length, 16)
  t.strictSame(first?.new_digest, digestOf(first?.new_salt, 'één'))
  t.strictSame(second?.old_digest, first?.new_digest)
  t.strictSame(second?.new_digest, digestOf(second?.new_salt, ''))
  t.notSame(second?.new_salt, first?.new_salt, 'every value has a salt of its own')
  t.strictSame(third?.old_digest, second?.new_digest)
})

t.test('what changes nothing is no entry: the same value, a description, a re-wrap', async (t) => {
  const value = sealed()
  await insert('still', 'on')
  await insert('still_sealed', value, true)
  await set('still', 'on')
  await worker.query(`update deployment_config set description = 'x' where key = 'still'`)
  await set('still_sealed', rewrapped(value), true)
  t.equal((await historyOf('still')).length, 1)
  t.equal((await historyOf('still_sealed')).length, 1)
  await set('still_sealed', sealed(), true)
  const [first, second] = await historyOf('still_sealed')
  t.match(second, { action: 'update', old_key_id: 'other-key', new_key_id: 'test-key' })
  t.strictSame(second?.old_digest, first?.new_digest, 'after a re-wrap the fingerprint is the same')
})

t.test('of an encrypted value only the key and a fingerprint are there', async (t) => {
  const arn = 'arn:aws:kms:eu-west-1:111122223333:key/0a-1b_2'
  const [one, two] = [rewrapped(sealed(), arn), sealed()]
  await insert('sealed', one, true)
  await set('sealed', two, true)
  await remove('sealed')
  const entries = await historyOf('sealed')
  const none = { old_value: null, new_value: null, redacted_at: null }
  t.match(entries, [
    { action: 'insert', new_key_id: arn, old_key_id: null, ...none },
    { action: 'update', old_key_id: arn, new_key_id: 'test-key', ...none },
    { action: 'delete', old_key_id: 'test-key', new_key_id: null, ...none },
  ])
  t.strictSame(entries[0]?.new_digest, digestOf(entries[0]?.new_salt, ciphertext(one)))
  for (const value of [one, two]) t.equal(await mentions(db.owner, ciphertext(value)), 0)
})

/** Ways in which a secret that was stored in plain comes to be encrypted; `key` is what it was stored under. */
const sealings: Readonly<Record<string, (key: string) => Promise<void>>> = {
  'an update': async (key) => void (await set(key, sealed(), true)),
  'an upsert': async (key) => {
    await worker.query(
      `insert into deployment_config (key, value, encrypted) values ($1, $2, true)
       on conflict (key) do update set value = excluded.value, encrypted = excluded.encrypted`,
      [key, sealed()],
    )
  },
  'a deletion and an insertion': async (key) => {
    await remove(key)
    await insert(key, sealed(), true)
  },
  'an update of the key too': async (key) => {
    await worker.query(`update deployment_config set key = $2, value = $3, encrypted = true where key = $1`, [
      key,
      `${key}_renamed`,
      sealed(),
    ])
  },
}

for (const [title, seal] of Object.entries(sealings)) {
  t.test(`a key that is encrypted by ${title} leaves no plaintext, and neither the means to guess it`, async (t) => {
    const key = `token_${randomBytes(4).toString('hex')}`
    await insert(key, `${plaintext}_1`)
    await set(key, `${plaintext}_2`)
    await insert(`${key}_kept`, 'stays')
    t.equal(await mentions(db.owner, plaintext), 2, 'it was there')
    await seal(key)
    t.equal(await mentions(db.owner, plaintext), 0)

    const entries = await historyOf(key)
    t.equal(entries.filter(({ action }) => action === 'redact').length, 1, 'the redaction is an entry itself')
    for (const entry of entries.filter((one) => one.old_encrypted === false || one.new_encrypted === false)) {
      t.type(entry.redacted_at, Date)
      if (entry.old_encrypted === false) t.equal(entry.old_salt, null)
      if (entry.new_encrypted === false) t.equal(entry.new_salt, null)
    }
    t.match(await historyOf(`${key}_kept`), [{ new_value: 'stays', redacted_at: null }], 'another key is left alone')
    t.strictSame((await examineAudit(db.owner)).findings, [], 'and the chain is whole')
  })
}

t.test('a key that is plain again has plain values from then on, until it is encrypted again', async (t) => {
  await insert('back', sealed(), true)
  await set('back', 'in plain')
  t.match(await historyOf('back'), [{ new_encrypted: true }, { old_encrypted: true, old_value: null, new_value: 'in plain' }])
  await set('back', sealed(), true)
  const entries = await historyOf('back')
  t.equal(await mentions(db.owner, 'in plain'), 0)
  t.match(entries.map(({ action }) => action), ['insert', 'update', 'update', 'redact'])
  t.ok(entries[1]?.old_salt, 'the fingerprint of a sealed value can still be compared')
})

t.test('a secret that was deleted without being encrypted is redacted by hand, by the owner only', async (t) => {
  await insert('leaked', plaintext)
  await remove('leaked')
  t.equal(await mentions(db.owner, plaintext), 2)
  const redact = `select private.redact_config_history('leaked')`
  await t.rejects(worker.query(redact), { code: '42501' })
  await t.rejects(db.as(service, (client) => client.query(redact)), { code: '42501' })
  await db.owner.query(redact)
  t.equal(await mentions(db.owner, plaintext), 0)
  await db.owner.query(redact)
  t.match((await historyOf('leaked')).map(({ action }) => action), ['insert', 'delete', 'redact'], 'once is enough')
  t.strictSame((await examineAudit(db.owner)).findings, [])
})

t.test('a redacted key that stays plain goes on with a new salt', async (t) => {
  await insert('url', `https://root:${plaintext}@host`)
  await set('url', 'https://host')
  await db.owner.query(`begin; select private.redact_config_history('url')`)
  await db.owner.query(`update deployment_config set value = 'https://host2' where key = 'url'; commit`)
  t.match((await historyOf('url')).at(-1), { old_value: 'https://host', new_value: 'https://host2' })
  t.strictSame((await examineAudit(db.owner)).findings, [])
})

t.test('what is refused or rolled back leaves no entry and no hole in the chain', async (t) => {
  await t.rejects(insert('1 bad', 'x'), { code: '23514' })
  await worker.query('begin')
  await insert('rolled_back', 'x')
  await worker.query('savepoint s')
  await insert('rolled_back_2', 'x')
  await worker.query('rollback to savepoint s')
  await insert('rolled_back_3', 'x')
  await worker.query('rollback')
  await insert('after', 'x')
  t.strictSame(await historyOf('rolled_back'), [])
  t.strictSame((await examineAudit(db.owner)).findings, [])
})

t.test('a value of ten megabytes is kept whole', async (t) => {
  await worker.query(`insert into deployment_config (key, value) values ('large', repeat('x', 10000000))`)
  await remove('large')
  const { rows } = await db.owner.query(
    `select length(new_value) as new, length(old_value) as old from deployment_config_history where key = 'large' order by id`,
  )
  t.strictSame(rows, [{ new: 10_000_000, old: null }, { new: null, old: 10_000_000 }])
})

const byHand = [
  `insert into deployment_config_history (key, action, actor_role, previous_hash, hash)
   values ('x', 'redact', 'x', sha256(''), sha256(''))`,
  `update deployment_config_history set new_value = new_value`,
  'delete from deployment_config_history',
  'truncate deployment_config_history',
]

t.test('services read the history; nobody writes it by hand, and users see nothing', async (t) => {
  const userId = await db.signUp()
  const count = 'select from deployment_config_history'
  t.ok((await db.as(service, (client) => client.query(count))).rowCount)
  t.ok((await worker.query(count)).rowCount)
  await t.rejects(db.as(user(userId), (client) => client.query(count)), { code: '42501' })
  for (const statement of byHand) {
    await t.rejects(db.as(service, (client) => client.query(statement)), { code: '42501' }, `service_role: ${statement}`)
    await t.rejects(worker.query(statement), { code: '42501' }, `leo_worker: ${statement}`)
    const { code } = await rolledBack(db.owner, () => outcomeOf(db.owner.query(statement)))
    t.equal(code, 'done', 'the statement itself is one that can be run')
  }
})

t.test('writers at the same time, several keys each in opposite orders, keep one chain and do not deadlock', async (t) => {
  const keys = ['a', 'b', 'c', 'd'].map((name) => `race_${name}`)
  for (const key of keys) await insert(key, '0')
  const clients = await Promise.all([1, 2, 3, 4].map(() => db.login(logins.leo_worker)))
  await Promise.all(
    clients.map(async (client, index) => {
      const order = index % 2 === 0 ? keys : keys.toReversed()
      for (let round = 1; round <= 5; round += 1) {
        await client.query('begin')
        for (const key of order) {
          await client.query('update deployment_config set value = $2 where key = $1', [key, `${index}.${round}`])
        }
        await client.query('commit')
      }
    }),
  )
  for (const key of keys) t.equal((await historyOf(key)).length, 21)
  t.strictSame((await examineAudit(db.owner)).findings, [])
})

t.test('a writer with an older snapshot fails, to try again, instead of growing a second end', async (t) => {
  const late = await db.login(logins.leo_worker)
  await late.query('begin isolation level repeatable read')
  await late.query('select from deployment_config')
  await insert('meanwhile', 'x')
  await t.rejects(insertRow(late, 'deployment_config', { key: 'late', value: 'x' }), { code: '40001' })
  await late.query('rollback')
  await late.query('begin isolation level repeatable read')
  await insertRow(late, 'deployment_config', { key: 'late', value: 'x' })
  await late.query('commit')
  t.strictSame((await examineAudit(db.owner)).findings, [])
})

t.test('a digest is not the same for the same value, so that nobody sees who shares a secret', async (t) => {
  const value = sealed()
  await insert('one', value, true)
  await insert('two', value, true)
  const [one, two] = [only({ rows: await historyOf('one') }), only({ rows: await historyOf('two') })]
  t.notSame(one.new_digest, two.new_digest)
})
