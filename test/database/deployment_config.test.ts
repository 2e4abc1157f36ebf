import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { plaintext, errorOf, assertPlaintextRejected, errorContains } from '../fixtures/leaks.ts'
import { insertRow, only, sealed } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)

const insert = (client: pg.Client, row: Row): Promise<pg.QueryResult> => insertRow(client, 'deployment_config', row)
const asService = (row: Row) => db.as(service, (client) => insert(client, row))

t.test('services have access, users do not', async (t) => {
  await asService({ key: 'region', value: 'fra' })
  const userId = await db.signUp()
  for (const statement of [
    'select key from deployment_config',
    `insert into deployment_config (key, value) values ('mine', 'x')`,
    `update deployment_config set value = 'x'`,
    'delete from deployment_config',
  ]) {
    await t.rejects(db.as(user(userId), (client) => client.query(statement)), { code: '42501' }, statement)
    await t.resolves(db.tryAs(service, (client) => client.query(statement)), `a service: ${statement}`)
  }
})

t.test('a value has the form of a sealed secret if and only if encrypted is true', async (t) => {
  const mismatch = { code: 'LEO07', column: 'encrypted' }
  await t.resolves(asService({ key: 'plain', value: 'x', encrypted: false }))
  await t.resolves(asService({ key: 'plain_by_default', value: 'x' }))
  await t.resolves(asService({ key: 'sealed', value: sealed(), encrypted: true }))
  await t.rejects(asService({ key: 'denied', value: sealed(), encrypted: false }), mismatch)
  await t.rejects(asService({ key: 'denied', value: sealed() }), mismatch)
  await assertPlaintextRejected(t, asService({ key: 'denied', value: plaintext, encrypted: true }), 'plaintext')

  const change = (key: string, columns: string) =>
    db.as(service, (client) => client.query(`update deployment_config set ${columns} where key = $1`, [key]))
  await t.rejects(change('sealed', 'encrypted = false'), mismatch)
  await t.rejects(change('plain', 'encrypted = true'), { code: '23514', constraint: 'sealed_secret_form_check' })
  await t.resolves(change('plain', `encrypted = true, value = '${sealed()}'`), 'both in one statement')
})

t.test('an error about an unsealed secret never contains it, even if the row has another error', async (t) => {
  await asService({ key: 'taken', value: 'x' })
  const rows: Readonly<Record<string, Row>> = {
    'no other error': { key: 'token' },
    'a malformed key': { key: '1 token' },
    'no key': { key: null },
    'a duplicate key': { key: 'taken' },
    'no flag': { key: 'token', encrypted: null },
    'no updated_at': { key: 'token', updated_at: null },
    'the prefix of a sealed value': { key: 'token', value: `leo1.kms.${plaintext}` },
    'text after a sealed value': { key: 'token', value: `${sealed()}\n${plaintext}` },
  }
  for (const [title, row] of Object.entries(rows)) {
    await assertPlaintextRejected(t, asService({ value: plaintext, encrypted: true, ...row }), title)
  }
})

t.test('the same holds for an update and an upsert', async (t) => {
  await asService({ key: 'secret', value: sealed(), encrypted: true })
  await asService({ key: 'stored', value: plaintext })
  const statements: Readonly<Record<string, string>> = {
    'an update': `update deployment_config set value = $1 where key = 'secret'`,
    'an update of the key too': `update deployment_config set value = $1, key = '1 secret' where key = 'secret'`,
    'an update of the key to null': `update deployment_config set value = $1, key = null where key = 'secret'`,
    'encrypted = true on a plain value': `update deployment_config set encrypted = true where key = 'stored' and value = $1`,
    'an upsert': `
      insert into deployment_config (key, value, encrypted) values ('secret', '${sealed()}', true)
      on conflict (key) do update set value = $1`,
  }
  for (const [title, statement] of Object.entries(statements)) {
    await assertPlaintextRejected(t, db.as(service, (client) => client.query(statement, [plaintext])), title)
    await t.resolves(
      db.tryAs(service, (client) => client.query(statement.replace(/, key = .* where/, ' where'), [sealed()])),
      `${title} with a sealed value`,
    )
  }
})

t.test('an error about a plain value may contain it, which proves that the check above can fail', async (t) => {
  const error = await errorOf(asService({ key: '1 name', value: plaintext, encrypted: false }))
  t.equal(error.constraint, 'deployment_config_key_form_check')
  t.ok(errorContains(error, plaintext))
})

t.test('updated_at is the time of the change, not a value from the writer', async (t) => {
  await asService({ key: 'clock', value: 'x', updated_at: 'epoch' })
  const update = `
    update deployment_config set value = 'y', updated_at = 'infinity' where key = 'clock' returning updated_at`
  const before = new Date()
  const { updated_at } = only(await db.as(service, (client) => client.query<{ updated_at: Date }>(update)))
  t.ok(updated_at >= before && updated_at <= new Date(), String(updated_at))
})
