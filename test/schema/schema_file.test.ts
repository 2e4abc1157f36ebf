import { readFile } from 'node:fs/promises'
import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { schemaFile } from '../../scripts/schema/dump/schema-file.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'

const schema = await readFile(fromRoot('db', 'schema.sql'), 'utf8')
const migrated = await createMigratedDatabase(t)

for (const privileges of ['since_2026', 'until_2026'] as const) {
  t.test(`loaded into an empty project made ${privileges.replace('_', ' ')}, schema.sql gives the migrated schema and its rows`, async (t) => {
    const db = await createEmptyDatabase(t, privileges)
    // On a connection of its own: the file empties the session's search_path.
    await withClient(db.target, (client) => client.query(schema))
    t.equal(await schemaFile(db.target), await schemaFile(migrated.target))
  })
}

t.test('a database that was loaded from schema.sql keeps the history of config', async (t) => {
  const db = await createEmptyDatabase(t)
  await withClient(db.target, (client) => client.query(schema))
  await db.owner.query(`insert into deployment_config (key, value) values ('region', 'eu')`)
  t.strictSame((await db.owner.query('select key, action from deployment_config_history')).rows, [{ key: 'region', action: 'insert' }])
})

t.test('schema.sql carries grants, policies and comments, and names no owner, version or machine', async (t) => {
  t.match(schema, /^GRANT SELECT ON TABLE public\.iteration_snapshots TO authenticated;$/m)
  t.match(schema, /^CREATE POLICY select_own ON public\.apps /m)
  t.match(schema, /^COMMENT ON COLUMN public\.apps\.app_name /m)
  t.notMatch(schema, /OWNER TO|Dumped (from|by)|\\restrict|transaction_timeout/)
})

t.test('schema.sql makes every role of ours that it names', async (t) => {
  const named = new Set(schema.match(/\bleo_\w+/g))
  t.strictSame([...named].sort(), ['leo_api', 'leo_worker'])
  for (const role of named) t.match(schema, `create role ${role} `)
})
