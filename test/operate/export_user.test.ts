import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import t from 'tap'
import { exportUser } from '../../scripts/operate/users/export.ts'
import { leftOut } from '../../scripts/operate/users/rules.ts'
import { compareWithRules, ownerOf, readTables, readUserId } from '../../scripts/operate/users/tables.ts'
import { writeWhole } from '../../scripts/operate/users/atomic-file.ts'
import { runScript } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertRow, insertTenant } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const own = await insertTenant(db)
const other = await insertTenant(db)
const folder = await mkdtemp(join(tmpdir(), 'leo-export-'))
t.teardown(() => rm(folder, { recursive: true }))

interface Line {
  readonly table: string
  readonly row?: Row
  readonly mention?: Row
}

async function exported(userId: string) {
  let text = ''
  const out = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString()
      done()
    },
  })
  const manifest = await exportUser(owner, userId, out)
  const all = text.trimEnd().split('\n').map((line) => JSON.parse(line) as Line)
  const lines = all.slice(0, -1)
  return { text, manifest, last: all.at(-1), of: (table: string) => lines.filter((line) => line.table === table) }
}

t.test('an export has every row of the user, of every table of the catalog, and none of others', async (t) => {
  const { of, text, manifest, last } = await exported(own.userId)
  const tables = await readTables(owner)
  const theirs = tables.filter(ownerOf)
  t.ok(theirs.length >= 14, `${theirs.length} tables`)
  for (const { name, columns } of theirs) {
    const { rows } = await owner.query<{ row: Row }>(`select to_jsonb(t) as row from ${name} as t where user_id = $1`, [
      own.userId,
    ])
    t.ok(rows.length > 0, `insertTenant() makes a row of ${name}`)
    const shown = columns
      .filter((column) => column.kind !== 'secret' && !(`${name}.${column.name}` in leftOut))
      .map((column) => column.name.replaceAll('"', ''))
    const key = (row: Row = {}) => JSON.stringify(shown.map((column) => [column, row[column]]))
    t.strictSame(of(name).map(({ row }) => key(row)).sort(), rows.map(({ row }) => key(row)).sort(), name)
    t.strictSame(Object.keys(of(name)[0]?.row ?? {}), shown)
    t.equal(manifest.rows[name], rows.length)
  }
  t.notMatch(text, new RegExp(other.userId))
  t.match(of('auth.users'), [{ row: { id: own.userId, email: `${own.userId}@example.com` } }])
  t.match(of('public.supabase_project_places'), [{ row: { app_id: own.appId } }])
  t.strictSame(last, { manifest })
})

t.test('a rule says of every table without an owner whose rows it has', async (t) => {
  const tables = await readTables(owner)
  t.strictSame(compareWithRules(tables), { unjudged: [], missing: [] })
  const columns = tables.flatMap(({ name, columns: all }) => all.map((column) => `${name}.${column.name}`))
  t.strictSame(Object.keys(leftOut).filter((name) => !columns.includes(name)), [])
})

t.test('a new table with an owner is exported without a word', async (t) => {
  await owner.query(`create table "New things" (user_id uuid, "What" text, token sealed_secret, t int)`)
  await insertRow(owner, '"New things"', { user_id: own.userId, '"What"': 'x', token: 'leo1.dev.k.a.b', t: 1 })
  await owner.query(`create table text_owned (user_id text)`)
  await insertRow(owner, 'text_owned', { user_id: own.userId.toUpperCase() })
  const { of, manifest } = await exported(own.userId)
  await owner.query('drop table "New things", text_owned')
  t.strictSame(of('public."New things"').map(({ row }) => row), [{ user_id: own.userId, What: 'x', t: 1 }])
  t.equal(of('public.text_owned').length, 1)
  t.hasProp(manifest.left_out, 'public."New things".token')
})

t.test('a new table without an owner is noticed, and stops an export whose user it names', async (t) => {
  await owner.query(`create table forgotten (note text)`)
  await owner.query(`insert into forgotten values ($1)`, [`of ${own.userId}`])
  t.strictSame(compareWithRules(await readTables(owner)).unjudged, ['public.forgotten'])
  await t.rejects(exported(own.userId), { name: 'Failure', message: /public\.forgotten/ })
  await t.resolves(exported(other.userId))
  await owner.query('drop table forgotten')
})

t.test('what others own and names the user says only that', async (t) => {
  await owner.query('update generation_events set acting_user_id = $1 where user_id = $2', [own.userId, other.userId])
  const { of, text } = await exported(own.userId)
  await owner.query('update generation_events set acting_user_id = null')
  t.match(of('public.generation_events').filter(({ mention }) => mention), [
    { mention: { to_status: 'queued', acting_user_id: own.userId, created_at: String } },
  ])
  t.notMatch(text, new RegExp(other.userId))
})

t.test('clean-ups and changes of config that name the user are in it', async (t) => {
  const target = 'https://x.fly.dev'
  await insertRow(owner, 'cleanup_outbox', { kind: 'fly_app', target, context: { user_id: own.userId } })
  await owner.query(`
    begin;
    set local leo.acting_user = '${own.userId}';
    insert into deployment_config (key, value) values ('a', 'blue-green');
    commit`)
  const { of, text } = await exported(own.userId)
  t.match(of('public.cleanup_outbox'), [{ row: { target, context: { user_id: own.userId } } }])
  t.match(of('public.deployment_config_history'), [{ row: { key: 'a', action: 'insert', acting_user_id: own.userId } }])
  t.notMatch(text, /blue-green/)
})

t.test('no sealed token is exported, only that there is one', async (t) => {
  const { of, text, manifest } = await exported(own.userId)
  const { rows } = await owner.query(`select from user_secrets where encrypted_token like 'leo1.%'`)
  t.equal(rows.length, 2)
  t.notMatch(text, /leo1\./)
  t.match(of('public.user_secrets'), [{ row: { provider: 'github', expires_at: null } }])
  t.hasProp(manifest.left_out, 'public.user_secrets.encrypted_token')
})

t.test('a slow reader does not fill the memory', async (t) => {
  const { userId, requestId } = await insertTenant(db)
  await owner.query(
    `insert into iteration_snapshots (user_id, generation_request_id, iteration_number, snapshot_type, files_snapshot)
     select $1, $2, n, 'automatic', json_build_object('a', repeat('x', 1000000)) from generate_series(2, 26) as n`,
    [userId, requestId],
  )
  let bytes = 0
  let waiting = 0
  const out: Writable = new Writable({
    write(chunk: Buffer, _, done) {
      bytes += chunk.length
      waiting = Math.max(waiting, out.writableLength)
      setTimeout(done, 5)
    },
  })
  await exportUser(owner, userId, out)
  t.ok(bytes > 20_000_000, `${bytes} bytes written`)
  t.ok(waiting < 4_000_000, `${waiting} bytes waited`)
})

t.test('a user is named by their id', async (t) => {
  t.equal(readUserId(` ${own.userId.toUpperCase()}`, 'export-user'), own.userId)
  for (const bad of [undefined, '', 'ada@example.com', `${own.userId}'`, `{${own.userId}}`]) {
    t.throws(() => readUserId(bad, 'export-user'), { name: 'Failure' }, bad ?? 'nothing')
  }
})

t.test('the file is whole, the owner\'s alone, and replaces none', async (t) => {
  const file = join(folder, 'ada.jsonl')
  const done = await runScript(db, 'export-user', [`--user=${own.userId}`, `--file=${file}`])
  t.match(done, { code: 0, stdout: /public\.apps: 1 rows/ }, done.stderr)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  const whole = await readFile(file, 'utf8')
  t.match(JSON.parse(whole.trimEnd().split('\n').at(-1) ?? ''), { manifest: { user_id: own.userId } })

  await t.rejects(writeWhole(file, async (out) => out.write('other')), { name: 'Failure', message: /is there already/ })
  const meanwhile = writeWhole(`${file}.2`, async () => writeFile(`${file}.2`, 'precious'))
  await t.rejects(meanwhile, { name: 'Failure', message: /is there already/ })
  const nobody = '00000000-0000-4000-8000-000000000000'
  const failed = writeWhole(`${file}.3`, (out, signal) => exportUser(owner, nobody, out, { signal }))
  await t.rejects(failed, { name: 'Failure', message: /no user/ })
  t.strictSame(await readdir(folder), ['ada.jsonl', 'ada.jsonl.2'], 'and nothing half-made')
  t.strictSame([await readFile(file, 'utf8'), await readFile(`${file}.2`, 'utf8')], [whole, 'precious'])
})
