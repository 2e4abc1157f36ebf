import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import t, { type Test } from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import type { Target } from '../../scripts/core/target.ts'
import { loadSamples } from '../../scripts/operate/sample/sample.ts'
import { runLeo } from '../fixtures/command.ts'
import type { CommandResult } from '../fixtures/command.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import { clusterAdmin, loginTo } from '../fixtures/server.ts'

// It starts some forty processes.
t.setTimeout(900_000)

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'leo-messages-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

/** A database without the roles and schemas of Supabase. */
async function createUnrelated(t: Test, options = ''): Promise<Target> {
  const name = `unrelated_${randomBytes(6).toString('hex')}`
  await withClient(clusterAdmin(), (client) => client.query(`create database ${name} owner postgres ${options}`))
  t.teardown(() => withClient(clusterAdmin(), (client) => client.query(`drop database ${name} with (force)`)))
  return loginTo(name, 'postgres')
}

async function each(names: readonly string[], run: (name: string) => Promise<CommandResult>): Promise<[name: string, ended: CommandResult][]> {
  return Promise.all(names.map(async (name): Promise<[string, CommandResult]> => [name, await run(name)]))
}

const readers = ['export-env', 'verify', 'doctor', 'retention', 'key-usage', 'sizes']
const argsOf = (name: string): string[] => (name === 'sizes' ? ['--file=/nonexistent/sizes.json'] : [])

t.test('on a database that is not migrated, commands name make migrate', async (t) => {
  const db = await createEmptyDatabase(t)
  for (const [name, ended] of await each(readers, (name) => runLeo(db, name, argsOf(name)))) {
    t.match(ended, { code: 1, stdout: '', stderr: /^error: .* is not migrated — run `make migrate`\n$/ }, name)
  }
  await db.owner.query('create table public.generation_requests (id int)')
  t.match(await runLeo(db, 'verify', []), { code: 1, stderr: /tables that no migration created — run `make preflight`/ })
})

t.test('an unrelated database is reported as such', async (t) => {
  const target = await createUnrelated(t)
  for (const [name, ended] of await each([...readers, 'migrate'], (name) => runLeo({ target }, name, argsOf(name)))) {
    t.match(ended, { code: 1, stdout: '', stderr: /^error: .*auth\.users.* — check DATABASE_URL/ }, name)
  }
  const up = await runLeo({ target }, 'up', [])
  t.match(up, { code: 1, stderr: /log in as a superuser once \(make up DATABASE_URL=postgres:\/\/<superuser>/ })
})

t.test('a database that is not UTF8 is refused before anything is changed', async (t) => {
  const target = await createUnrelated(t, `encoding 'LATIN1' locale 'C' template template0`)
  await withClient(clusterAdmin(target.database), (client) => client.query('create schema auth; create table auth.users (id uuid)'))
  for (const [name, ended] of await each(['migrate', 'up', 'adopt'], (name) => runLeo({ target }, name, []))) {
    t.match(ended, { code: 1, stderr: /error: .* has the encoding LATIN1, not UTF8 — .*template0\n$/ }, name)
  }
  t.match(await runLeo({ target }, 'preflight', ['--json']), { code: 2, stdout: '', stderr: /LATIN1/ })
  const { rows } = await withClient(target, (client) => client.query(`select to_regnamespace('dbmate') as dbmate`))
  t.strictSame(rows, [{ dbmate: null }])
})

t.test('the age of retention is checked by table and range', async (t) => {
  const db = await createMigratedDatabase(t)
  const [range, table] = await Promise.all([
    runLeo(db, 'retention', ['--age=user_activity_log=0d']),
    runLeo(db, 'retention', ['--age=apps=9d']),
  ])
  t.match(range, { code: 1, stderr: /^error: age=user_activity_log=0d is out of range — write 1d to 99999d\n$/ })
  t.match(table, { code: 1, stderr: /^error: age=apps=9d is invalid — .*user_activity_log, generation_events, cleanup_outbox/ })
})

t.test('on a migrated database', async (t) => {
  const db = await createMigratedDatabase(t)
  const path = await folder(t)
  await db.owner.query(`insert into deployment_config (key, value) values ('a', '1'), ('b', '2'), ('c', '3')`)
  const [summary, all, json, backfill, sizes, report] = await Promise.all([
    runLeo(db, 'status', []),
    runLeo(db, 'status', ['--all']),
    runLeo(db, 'status', ['--json']),
    runLeo(db, 'backfill', []),
    runLeo(db, 'sizes', [`--file=${join(path, 'sizes.json')}`]),
    runLeo(db, 'retention', ['--json']),
  ])
  t.match(summary, { code: 0, stdout: /^postgres@\S+: \d+ applied\n$/ }, 'status is one line')
  t.match(all.stdout, /^(applied {7}\d+_\w+\.sql\n){20}/)
  t.match(JSON.parse(json.stdout), { is_current: true, migrations: [{ state: 'applied' }] })
  t.match(backfill, { code: 0, stdout: /all rows are migrated, no backfill is needed\n$/ })
  t.equal(sizes.code, 0, sizes.stderr)
  t.match(JSON.parse(await readFile(join(path, 'sizes.json'), 'utf8')), {
    'public.deployment_config': { rows: 3, bytes: Number, is_estimate: false },
  })
  t.match(JSON.parse(report.stdout), { is_preview: true, is_done: true, tables: [{ table: 'public.user_activity_log', due: 0 }] })
})

t.test('on a read-only database a command that writes fails with a one-line error', async (t) => {
  const db = await createMigratedDatabase(t)
  await withClient(clusterAdmin(), (client) => client.query(`alter database ${db.name} set default_transaction_read_only = on`))
  await db.owner.query(`insert into private.quarantine (table_name, row_id, reason, content) values ('generation_requests', 1, 'x', '{}')`)
  const putBack = await runLeo(db, 'put-back', ['--table=generation_requests', '--id=1'])
  t.match(putBack, { code: 1, stderr: /^error: .*\(25006\) — the database is read-only.*\n$/ })
})

t.test('secrets of the sample data can be replaced and re-wrapped, and key-usage lists their key', async (t) => {
  const db = await createMigratedDatabase(t)
  const path = await folder(t)
  const env = { NODE_ENV: 'test', KMS_SEAL_WITH: '', KMS_ACCEPT: '' }
  process.env['NODE_ENV'] = 'test'
  await loadSamples(db.owner, () => undefined)
  const usage = await runLeo(db, 'key-usage', [], env)
  t.match(usage, { code: 0, stdout: /^ {2}key embedded: .*user_secrets 3/m })
  await writeFile(join(path, '.env'), 'github.app_private_key=another\n')
  const args = [`--file=${join(path, '.env')}`]
  const preview = await runLeo(db, 'import-env', args, env)
  t.match(preview, { code: 0, stdout: /changed github\.app_private_key \(secret\)\npreview: nothing was changed; to run it: make import-env file=/ })
  t.match(await runLeo(db, 'import-env', args, { ...env, CONFIRM: db.name }), { code: 0, stdout: /1 written/ })
  t.match(await runLeo(db, 'rotate-keys', [], env), { code: 0, stdout: /0 secrets re-wrapped by embedded/ })
})

t.test('a user is found by e-mail address, which no error message contains', async (t) => {
  const db = await createMigratedDatabase(t)
  const path = await folder(t)
  const id = await db.signUp()
  const file = join(path, 'export.jsonl')
  const [missing, exported, preview] = await Promise.all([
    runLeo(db, 'export-user', ['--email=nobody@example.com']),
    runLeo(db, 'export-user', [`--email=${id.toUpperCase()}@Example.com`, `--file=${file}`]),
    runLeo(db, 'erase-user', [`--email=${id}@example.com`]),
  ])
  t.match(missing, { code: 1, stdout: '', stderr: /^error: no user has this e-mail address — / })
  t.notMatch(missing.stderr, 'nobody')
  t.equal(exported.code, 0, exported.stderr)
  t.match(preview, { code: 0, stdout: new RegExp(`preview: .*make erase-user user=${id} CONFIRM=${id}\n$`) })
  await db.owner.query('insert into auth.users (id, email) values (gen_random_uuid(), $1)', [`${id}@EXAMPLE.com`])
  t.match(await runLeo(db, 'erase-user', [`--email=${id}@example.com`]), { code: 1, stderr: /^error: several users have this e-mail address — / })
})

t.test('a plan does not apply the pending migrations', async (t) => {
  const db = await createMigratedDatabase(t)
  t.match(await runLeo(db, 'migrate', ['--plan']), { code: 0, stdout: /no pending migration\n$/ })
  t.match(await runLeo(db, 'rollback', []), { code: 0, stdout: /to undo, newest first:\n {2}\d+_\w+\.sql\n.*1 undone\n$/s })
  const plan = await runLeo(db, 'migrate', ['--plan'])
  t.match(plan, { code: 0, stdout: /^\d+_\w+\.sql: \d+ statements?, \d+\.\d kB, under a second\n(.*\n)*1 pending migration, .*none was applied\n$/m }, plan.stderr)
  t.match(await runLeo(db, 'status', []), { code: 3, stdout: /^pending {7}\d+_\w+\.sql\n.*1 pending\n$/s })
})
