import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { plaintext, assertPlaintextRejected } from '../fixtures/leaks.ts'
import { insertRow, insertSecret, only, sealed } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const ownId = await db.signUp()
const otherId = await db.signUp()
await insertSecret(db.owner, ownId, 'github')
await insertSecret(db.owner, otherId, 'github')

t.test('a user can list their own connected providers only', async (t) => {
  const select = 'select user_id, provider, expires_at, created_at from user_secrets'
  const seen = await db.as(user(ownId), (client) => client.query(select))
  t.match(seen.rows, [{ user_id: ownId, provider: 'github' }])
  t.equal(seen.rowCount, 1)
  t.equal((await db.owner.query(select)).rowCount, 2)
})

t.test('a user cannot read a token, not even a sealed one', async (t) => {
  for (const statement of [
    'select encrypted_token from user_secrets',
    'select * from user_secrets',
    'select to_jsonb(s) from user_secrets as s',
    `select id from user_secrets where encrypted_token like 'leo1.%'`,
    'select id from user_secrets order by encrypted_token',
    'delete from user_secrets returning encrypted_token',
  ]) {
    await t.rejects(db.as(user(ownId), (client) => client.query(statement)), { code: '42501' }, statement)
    t.equal((await db.tryAs(service, (client) => client.query(statement))).rowCount, 2, `a service: ${statement}`)
  }
})

t.test('a user cannot insert or update a token', async (t) => {
  const insert = (client: pg.Client): Promise<unknown> => insertSecret(client, ownId, 'fly')
  const update = (client: pg.Client): Promise<unknown> =>
    client.query(`update user_secrets set encrypted_token = $1`, [sealed()])
  for (const write of [insert, update]) {
    await t.rejects(db.as(user(ownId), write), { code: '42501' })
    await t.resolves(db.tryAs(service, write), 'a service can')
  }
})

t.test("a user can delete their own secret, but not another user's", async (t) => {
  const id = await insertSecret(db.owner, ownId, 'gitlab')
  const remove = (client: pg.Client) => client.query('delete from user_secrets where id = $1', [id])
  t.equal((await db.as(user(otherId), remove)).rowCount, 0)
  t.equal((await db.owner.query('select from user_secrets where id = $1', [id])).rowCount, 1)
  t.equal((await db.as(user(ownId), remove)).rowCount, 1)
  t.equal((await db.owner.query('select from user_secrets where id = $1', [id])).rowCount, 0)
})

t.test('a user has at most one secret for each provider', async (t) => {
  const again = db.as(service, (client) => insertSecret(client, ownId, 'github'))
  await t.rejects(again, { code: '23505', constraint: 'user_secrets_user_id_provider_key' })
  await t.resolves(db.tryAs(service, (client) => insertSecret(client, ownId, 'gitlab')))
})

t.test('an error about a plaintext token never contains it, even if the row has another error', async (t) => {
  const rows: Readonly<Record<string, Row>> = {
    'no other error': {},
    'a malformed provider': { provider: 'Git Hub' },
    'no provider': { provider: null },
    'a provider that is connected': { provider: 'github' },
    'no user': { user_id: null },
    'a user who does not exist': { user_id: randomUUID() },
    'no id': { id: null },
    'the prefix of a sealed value': { encrypted_token: `leo1.kms.${plaintext}` },
    'text after a sealed value': { encrypted_token: `${sealed()}\n${plaintext}` },
  }
  const write = (row: Row) => (client: pg.Client) => insertRow(client, 'user_secrets', row)
  for (const [title, row] of Object.entries(rows)) {
    const secret = { user_id: ownId, provider: 'fly', encrypted_token: plaintext, ...row }
    await assertPlaintextRejected(t, db.as(service, write(secret)), title)
  }
  await t.resolves(db.tryAs(service, write({ user_id: ownId, provider: 'fly', encrypted_token: sealed() })))
})

t.test('the same holds for an update, an upsert and a cast', async (t) => {
  const statements: Readonly<Record<string, string>> = {
    'an update': 'update user_secrets set encrypted_token = $1',
    'an update of the provider too': `update user_secrets set provider = 'Git Hub', encrypted_token = $1`,
    'an upsert': `
      insert into user_secrets (user_id, provider, encrypted_token) values ('${ownId}', 'github', '${sealed()}')
      on conflict (user_id, provider) do update set encrypted_token = $1`,
    'an update with a cast to text': `update user_secrets set encrypted_token = $1::text`,
  }
  for (const [title, statement] of Object.entries(statements)) {
    await assertPlaintextRejected(t, db.as(service, (client) => client.query(statement, [plaintext])), title)
    if (statement.includes('Git Hub')) continue
    await t.resolves(db.tryAs(service, (client) => client.query(statement, [sealed()])), `${title} with a sealed value`)
  }
})

t.test('updated_at is the time of the change, not a value from the writer', async (t) => {
  const update = `
    update user_secrets set encrypted_token = $1, updated_at = 'infinity' where user_id = $2 returning updated_at`
  const before = new Date()
  const { updated_at } = only(
    await db.as(service, (client) => client.query<{ updated_at: Date }>(update, [sealed(), ownId])),
  )
  t.ok(updated_at >= before && updated_at <= new Date(), String(updated_at))
})
