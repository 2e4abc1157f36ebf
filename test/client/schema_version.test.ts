import pg from 'pg'
import t from 'tap'
import { createClient } from '../../db/client/client.ts'
import { checkSchema, schemaVersion } from '../../db/index.ts'
import { oldestSchemaVersion } from '../../db/client/schema-check.ts'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { loginTo, logins } from '../fixtures/server.ts'

const versions = (await readMigrations()).map(({ version }) => version)
const db = await createMigratedDatabase(t)
const pool = (login: string) => new pg.Pool(loginTo(db.name, login).pg)

t.test('the package exports its schema version and has an oldest supported one', async (t) => {
  t.equal(schemaVersion, versions.at(-1))
  t.ok(versions.includes(oldestSchemaVersion), 'the oldest is a migration')
})

for (const login of ['postgres', ...Object.values(logins)]) {
  t.test(`checkSchema as ${login} returns the version, and rejects an older one`, async (t) => {
    const client = createClient(pool(login))
    t.teardown(() => client.destroy())
    t.equal(await checkSchema(client), versions.at(-1))

    const before = versions[versions.indexOf(oldestSchemaVersion) - 1]
    await db.owner.query('begin; create table kept as table dbmate.schema_migrations')
    await db.owner.query('delete from dbmate.schema_migrations where version >= $1', [oldestSchemaVersion])
    await db.owner.query('commit')
    await t.rejects(checkSchema(client), { code: 'schema_too_old', message: `${before}` })

    await db.owner.query('insert into dbmate.schema_migrations values ($1)', [oldestSchemaVersion])
    t.equal(await checkSchema(client), oldestSchemaVersion, 'half an upgrade counts as far as it came')
    await db.owner.query('insert into dbmate.schema_migrations table kept on conflict do nothing; drop table kept')
  })
}

t.test('users and services may read the version, anon may not', async (t) => {
  const query = 'select public.schema_version() as version'
  for (const persona of [user(await db.signUp()), service]) {
    t.strictSame((await db.as(persona, (client) => client.query(query))).rows, [{ version: versions.at(-1) }])
  }
  await t.rejects(db.as({ role: 'anon' }, (client) => client.query(query)), { code: '42501' })
  await t.rejects(db.as(service, (client) => client.query('table dbmate.schema_migrations')), { code: '42501' })
})

t.test('a database without a version is too old, and the check does not abort the transaction', async (t) => {
  await db.owner.query('drop function public.schema_version()')
  const client = createClient(pool(logins.leo_worker))
  t.teardown(() => client.destroy())
  await client.transaction().execute(async (trx) => {
    await t.rejects(checkSchema(trx), { code: 'schema_too_old' })
    t.strictSame(await trx.selectFrom('apps').select('id').execute(), [])
  })
})
