import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type pg from 'pg'
import t, { type Test } from 'tap'
import { connect, withClient } from '../../scripts/core/connect.ts'
import { parseDatabaseUrl, withDatabase } from '../../scripts/core/target.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { migrationLock } from '../../scripts/migrate/run.ts'
import { createMigration, readMigrations } from '../../scripts/migrate/migrations.ts'
import { migrate, previewRollback, rollback, status } from '../../scripts/migrate/migrator.ts'
import { startThrowawayServer, superuser } from '../../scripts/postgres/server.ts'
import { runLeo } from '../fixtures/command.ts'
import { until } from '../fixtures/until.ts'

const serverUrl = process.env['TEST_SERVER_URL']
const server = serverUrl ? undefined : await startThrowawayServer()
t.teardown(() => server?.stop())
// Most of them wait for a sleeping migration.
t.jobs = 4
const admin = parseDatabaseUrl(serverUrl ?? server?.url('postgres', superuser) ?? '')

const first = '20260101000000_create_a.sql'
const second = '20260102000000_create_b.sql'
const third = '20260103000000_create_c.sql'

const sql = (up: string, down = 'select 1;'): string => `-- migrate:up\n${up}\n-- migrate:down\n${down}\n`
const table = (name: string): string => sql(`create table ${name} (id int);`, `drop table ${name};`)
const index = (statement: string): string =>
  `-- migrate:up transaction:false\ncreate ${statement};\n-- migrate:down\nselect 1;\n`

/** Creates a folder with these files. */
async function folderOf(t: Test, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
  return folder
}

/** Creates a folder with these files, and a database. */
async function scratch(t: Test, files: Record<string, string>) {
  const folder = await folderOf(t, files)
  const name = `migrate_${randomBytes(6).toString('hex')}`
  await withClient(admin, (client) => client.query(`create database ${name}`))
  t.teardown(() => withClient(admin, (client) => client.query(`drop database ${name} with (force)`)))
  const target = withDatabase(admin, name)
  const said: string[] = []
  const options = { folder, say: (line: string) => said.push(line) }
  const login = async (): Promise<pg.Client> => {
    const client = await connect(target)
    t.teardown(() => client.end())
    return client
  }
  const client = await login()
  return {
    target,
    folder,
    said,
    client,
    login,
    write: (file: string, text: string) => writeFile(join(folder, file), text),
    migrate: async (more: { upTo?: string; waitSeconds?: number } = {}) =>
      (await migrate(target, { ...options, ...more })).applied.map(({ file }) => basename(file)),
    rollback: async () => basename((await rollback(target, options))[0]?.file ?? ''),
    rollbackTo: async (to: string) => (await rollback(target, { ...options, to })).map(({ file }) => basename(file)),
    states: async () => (await status(target, { folder })).map(({ state }) => state),
    applied: () => column(client, 'select version from dbmate.schema_migrations order by version'),
    recorded: () => column(client, 'select version from dbmate.migration_checksums order by version'),
    /** The current queries of dbmate's sessions. */
    working: () =>
      column(
        client,
        `select query from pg_stat_activity
         where application_name like 'leo-saas-schema/dbmate/%' and datname = current_database() and state = 'active'`,
      ),
  }
}

async function column(client: pg.Client, query: string): Promise<unknown[]> {
  return (await client.query({ text: query, rowMode: 'array' })).rows.map(([value]) => value)
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  try {
    await work
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** Waits until dbmate runs the last statement of a migration, which does not end by itself. */
const asleep = (database: { working(): Promise<unknown[]> }): Promise<void> =>
  until('dbmate runs the last statement', async () =>
    (await database.working()).some((query) => /pg_sleep|pg_advisory_xact_lock/.test(String(query))),
  )

/** Starts a process that migrates. The test removes what the process leaves when it is killed. */
async function startMigrate(t: Test, url: string, folder: string) {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const load = (module: string) => JSON.stringify(new URL(`../../scripts/${module}${extension}`, import.meta.url).href)
  const code = `
    import { parseDatabaseUrl } from ${load('core/target')}
    import { main } from ${load('core/failure')}
    import { migrate } from ${load('migrate/migrator')}
    const { DATABASE_URL, FOLDER } = process.env
    await main(async () => { await migrate(parseDatabaseUrl(DATABASE_URL), { folder: FOLDER }) })`
  const loader = extension === '.ts' ? ['--import', 'tsx'] : []
  return spawn(process.execPath, [...loader, '--input-type=module', '-e', code], {
    env: { ...process.env, DATABASE_URL: url, FOLDER: folder, TMPDIR: await folderOf(t, {}) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

async function dbmateChildOf(parent: number | undefined): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,comm='])
  const line = stdout.split('\n').find((line) => new RegExp(`^\\s*\\d+\\s+${parent}\\s.*dbmate`).test(line))
  return Number.parseInt(line ?? '', 10)
}

t.test('a file that dbmate would misread is refused', async (t) => {
  const files: Record<string, [name: string, text: string]> = {
    'no version': ['create_a.sql', table('a')],
    'a short version': ['1_create_a.sql', table('a')],
    'no object': ['20260101000000_create.sql', table('a')],
    'capitals': ['20260101000000_Create_a.sql', table('a')],
    'another ending': ['20260101000000_create_a.sql.bak', table('a')],
    'no down section': [first, '-- migrate:up\nselect 1;\n'],
    'no up section': [first, '-- migrate:down\nselect 1;\n'],
    'an empty down section': [first, sql('select 1;', '-- nothing to do\n')],
    'an empty up section': [first, sql('-- later')],
    'two pairs': [first, table('a') + table('b')],
    'down before up': [first, '-- migrate:down\nselect 1;\n-- migrate:up\nselect 1;\n'],
    'a spaced option': [first, sql('select 1;').replace('up', 'up transaction: false')],
    'an unknown option': [first, sql('select 1;').replace('up', 'up transactional:false')],
    'an indented directive': [first, ` ${sql('select 1;')}`],
    'a block comment above': [first, `/* why */\n${table('a')}`],
    'two statements outside a transaction': [first, index('index concurrently a_idx on a (id); select 1')],
    'a nameless concurrent index': [first, index('index concurrently on a (id)')],
    'a data change outside a transaction': [first, sql('update a set id = 1;').replace('up', 'up transaction:false')],
    'an index that is not concurrent, outside one': [first, index('index a_idx on a (id)')],
    'a drop that cannot be repeated': [first, sql('drop index concurrently a_idx;').replace('up', 'up transaction:false')],
    'its own transaction': [first, sql('begin; select 1; commit;')],
    'a set that outlives it': [first, sql(`set lock_timeout = '3s'; select 1;`)],
    'bad syntax': [first, sql('create tabel a (id int);')],
  }
  for (const [what, [name, text]] of Object.entries(files)) {
    const { message } = await failureOf(readMigrations(await folderOf(t, { [name]: text })))
    t.match(message, name, what)
  }
  const { message } = await failureOf(readMigrations(await folderOf(t, { [first]: sql('select 1;\n\nselct 2;') })))
  t.match(message, `${first}:4`, 'bad syntax is located')
})

t.test('two files with one version are refused', async (t) => {
  const twin = first.replace('_a', '_z')
  const { message } = await failureOf(readMigrations(await folderOf(t, { [first]: table('a'), [twin]: table('z') })))
  t.match(message, first)
  t.match(message, twin)
})

t.test('line endings do not change a checksum', async (t) => {
  const header = '-- why\n'
  const [unix] = await readMigrations(await folderOf(t, { [first]: header + table('a') }))
  const [dos] = await readMigrations(await folderOf(t, { [first]: (header + table('a')).replaceAll('\n', '\r\n') }))
  const [other] = await readMigrations(await folderOf(t, { [first]: table('a') }))
  t.equal(dos?.checksum, unix?.checksum)
  t.not(other?.checksum, unix?.checksum)
})

t.test('a new migration is the newest, has a unique name, and is refused while its up section is empty', async (t) => {
  const folder = await folderOf(t, { [first]: table('a'), '.gitkeep': '', 'README.md': '' })
  const past = new Date('2020-01-01')
  t.equal(basename(await createMigration('add_color', folder, past)), '20260101000001_add_color.sql')
  const later = new Date('2026-05-04T03:02:01Z')
  t.equal(basename(await createMigration('drop_color', folder, later)), '20260504030201_drop_color.sql')
  const { message } = await failureOf(readMigrations(folder))
  t.match(message, '20260101000001_add_color.sql', 'its up section is empty')
  for (const name of ['20260101000001_add_color.sql', '20260504030201_drop_color.sql']) {
    const file = join(folder, name)
    await writeFile(file, (await readFile(file, 'utf8')).replace('-- migrate:down', 'select 1;\n\n-- migrate:down'))
  }
  t.equal((await readMigrations(folder)).length, 3, 'written, they are valid')
  for (const name of ['add_color', 'color', 'Add_color', 'add-color', 'add_', '../add_color', '']) {
    t.type(await failureOf(createMigration(name, folder)), Failure, name)
  }
})

t.test('pending migrations are applied once, in order', async (t) => {
  const database = await scratch(t, { [second]: table('b'), [first]: table('a') })
  t.strictSame(await database.states(), ['pending', 'pending'])
  t.strictSame(await database.migrate(), [first, second])
  t.strictSame(await database.states(), ['applied', 'applied'])
  t.strictSame(await database.recorded(), await database.applied())
  t.strictSame(await database.migrate(), [])
})

t.test('an empty folder of migrations is not an error', async (t) => {
  const database = await scratch(t, {})
  t.strictSame(await database.migrate(), [])
  t.strictSame(await database.states(), [])
  t.equal(await database.rollback(), '')
})

t.test('upTo stops after that version', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: table('b'), [third]: table('c') })
  t.strictSame(await database.migrate({ upTo: '20260102000000' }), [first, second])
  t.strictSame(await database.states(), ['applied', 'applied', 'pending'])
  t.match((await failureOf(database.migrate({ upTo: '20260102' }))).message, '20260102')
  t.strictSame(await database.migrate(), [third])
})

t.test('an edited, a deleted and a late file are refused', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: table('b') })
  await database.migrate()

  await database.write(first, table('z'))
  t.strictSame(await database.states(), ['edited', 'applied'])
  t.match((await failureOf(database.migrate())).message, first)
  t.match((await failureOf(database.rollback())).message, first)

  await rm(join(database.folder, first))
  t.strictSame(await status(database.target, { folder: database.folder }), [
    { version: '20260101000000', name: 'create_a', state: 'missing' },
    { version: '20260102000000', name: 'create_b', state: 'applied' },
  ])
  t.match((await failureOf(database.migrate())).message, first)
  t.match((await failureOf(database.rollback())).message, first)

  await database.write(first, table('a'))
  const late = '20260101120000_create_c.sql'
  await database.write(late, table('c'))
  t.strictSame(await database.states(), ['applied', 'out of order', 'applied'])
  t.match((await failureOf(database.migrate())).message, late)

  await rename(join(database.folder, late), join(database.folder, third))
  t.strictSame(await database.migrate(), [third])
})

t.test('migrations that plain dbmate applied are recorded with a message, and protected from then on', async (t) => {
  const database = await scratch(t, { [first]: table('a') })
  await database.client.query(`create schema dbmate;
    create table dbmate.schema_migrations (version varchar primary key);
    insert into dbmate.schema_migrations values ('20260101000000')`)
  t.strictSame(await database.migrate(), [])
  t.match(database.said.join(), first)
  await database.write(first, table('z'))
  t.match((await failureOf(database.migrate())).message, first)
})

t.test('a failure keeps the migrations before it, and the next run continues there', async (t) => {
  const failing = sql('create table b (id int);\n\nselect nothing from a;')
  const database = await scratch(t, { [first]: table('a'), [second]: failing, [third]: table('c') })
  const { message } = await failureOf(database.migrate())
  t.match(message, `${second}:4`)
  t.match(message, '42703')
  t.match(message, first)
  t.strictSame(await database.applied(), ['20260101000000'])
  await database.write(second, table('b'))
  t.strictSame(await database.migrate(), [second, third])
})

t.test('a second run waits for the first and names the session that it waits for', async (t) => {
  const database = await scratch(t, { [first]: sql('create table a (id int); select pg_advisory_xact_lock(1);') })
  const gate = await database.login()
  await gate.query('select pg_advisory_lock(1)')
  const run = database.migrate()
  await until('the migration runs', async () => (await database.working()).length > 0)
  const others = [database.migrate(), database.migrate()]
  const holder = /process \d+ since 20.* from 127\.0\.0\.1/
  await until('the other runs name the holder', async () => database.said.filter((line) => holder.test(line)).length === others.length)
  await gate.query('select pg_advisory_unlock(1)')
  t.strictSame(await Promise.all([run, ...others]), [[first], [], []])
})

t.test('a run that waits too long fails and names the lock holder', async (t) => {
  const database = await scratch(t, { [first]: table('a') })
  const holder = await database.login()
  await holder.query('select pg_advisory_lock($1)', [migrationLock])
  const [pid] = await column(holder, 'select pg_backend_pid()')
  t.match((await failureOf(database.migrate({ waitSeconds: 0.2 }))).message, `process ${pid} `)
  t.strictSame(await database.states(), ['pending'])
})

t.test('a killed dbmate leaves no session, and the next run continues', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: sql('create table b (); select pg_sleep(600);') })
  const wrapper = await startMigrate(t, database.target.dbmateUrl, database.folder)
  await asleep(database)
  process.kill(await dbmateChildOf(wrapper.pid), 'SIGKILL')
  const [code] = (await once(wrapper, 'close')) as [number]
  t.equal(code, 1)
  t.strictSame(await database.working(), [])
  t.strictSame(await database.applied(), ['20260101000000'])
  await database.write(second, table('b'))
  t.strictSame(await database.migrate(), [second])
})

t.test('a killed run ends after its current file, and the next run waits for that', async (t) => {
  const database = await scratch(t, {
    [first]: table('a'),
    [second]: sql('create table b (); select pg_advisory_xact_lock(1);'),
    [third]: table('c'),
  })
  const holder = await database.login()
  await holder.query('select pg_advisory_lock(1)')
  const wrapper = await startMigrate(t, database.target.dbmateUrl, database.folder)
  await asleep(database)
  const [pid] = await column(
    database.client,
    `select pid from pg_stat_activity
     where application_name like 'leo-saas-schema/dbmate/%' and datname = current_database()`,
  )
  wrapper.kill('SIGKILL')
  t.match((await failureOf(database.migrate({ waitSeconds: 0.2 }))).message, `process ${pid}`)
  await holder.query('select pg_advisory_unlock(1)')
  t.strictSame(await database.migrate(), [third])
  t.strictSame(await database.states(), ['applied', 'applied', 'applied'])
})

t.test('Ctrl-C ends dbmate and its session, and the state of the database is printed', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: sql('create table b (); select pg_sleep(600);') })
  const wrapper = await startMigrate(t, database.target.dbmateUrl, database.folder)
  let stderr = ''
  wrapper.stderr.on('data', (text) => (stderr += text))
  await asleep(database)
  wrapper.kill('SIGINT')
  const [code] = (await once(wrapper, 'close')) as [number]
  t.equal(code, 130)
  t.match(stderr, second)
  t.match(stderr, '20260101000000')
  t.equal(stderr.trim().split('\n').length, 1)
  t.strictSame(await database.working(), [])
  t.strictSame(await database.states(), ['applied', 'pending'])
})

t.test('a lost lock ends the run', async (t) => {
  const database = await scratch(t, { [first]: sql('create table a (); select pg_sleep(600);') })
  const failure = failureOf(database.migrate())
  await asleep(database)
  await database.client.query(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
    and database = (select oid from pg_database where datname = current_database())`)
  t.match((await failure).message, first)
  t.strictSame(await database.working(), [])
  t.strictSame(await database.states(), ['pending'])
})

t.test('a failed concurrent index build is reported, and repeated by the next run', async (t) => {
  const database = await scratch(t, {
    [first]: sql('create table a (id int); insert into a values (1), (1);'),
    [second]: index('unique index concurrently a_id_key on public.a (id)'),
    [third]: table('c'),
  })
  const { message } = await failureOf(database.migrate())
  t.match(message, second)
  t.match(message, 'public.a_id_key')
  const isValid = `select indisvalid from pg_index where indexrelid = 'a_id_key'::regclass`
  t.strictSame(await column(database.client, isValid), [false])
  await database.client.query('truncate a')
  t.strictSame(await database.migrate(), [second, third])
  t.strictSame(await column(database.client, isValid), [true])
})

t.test('a valid index of a migration that is not recorded is built again', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: index('index concurrently a_id_idx on a (id)') })
  await database.migrate({ upTo: '20260101000000' })
  await database.client.query('create index a_id_idx on a (id)')
  const oid = `select 'a_id_idx'::regclass::oid`
  const before = await column(database.client, oid)
  t.strictSame(await database.migrate(), [second])
  t.notSame(await column(database.client, oid), before)
  t.match(database.said.join(), 'public.a_id_idx')
})

t.test('an index of that name on another table is refused and kept', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: index('index concurrently a_id_idx on a (id)') })
  await database.migrate({ upTo: '20260101000000' })
  await database.client.query('create table other (id int); create index a_id_idx on other (id)')
  const { message } = await failureOf(database.migrate())
  t.match(message, second)
  t.match(message, 'other')
  t.strictSame(await column(database.client, `select 'a_id_idx'::regclass is not null`), [true])
  t.strictSame(await database.applied(), ['20260101000000'])
})

t.test('an index that an earlier pending migration drops is left to that migration', async (t) => {
  const database = await scratch(t, {
    [first]: sql('create table a (id int, n int); create index a_idx on a (id);'),
    [second]: sql('drop index a_idx;'),
    [third]: index('index concurrently a_idx on a (n)'),
  })
  await database.migrate({ upTo: '20260101000000' })
  t.strictSame(await database.migrate(), [second, third])
})

t.test('an index that another session is building is waited for', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: index('index concurrently a_id_idx on a (id)') })
  await database.migrate({ upTo: '20260101000000' })
  const writer = await database.login()
  await writer.query('begin; insert into a values (1)')
  const builder = await database.login()
  const [pid] = await column(builder, 'select pg_backend_pid()')
  const building = builder.query('create index concurrently a_id_idx on a (id)')
  await until('the index is being built', async () => (await column(database.client, 'select pid from pg_stat_progress_create_index')).length > 0)
  t.match((await failureOf(database.migrate({ waitSeconds: 0.2 }))).message, `process ${pid} `)
  await writer.query('commit')
  await building
  t.strictSame(await database.migrate(), [second])
})

t.test('a lock timeout is tried again', async (t) => {
  const waiting = sql(`set local lock_timeout = '100ms'; alter table a add column n int;`)
  const database = await scratch(t, { [first]: table('a'), [second]: waiting })
  await database.migrate({ upTo: '20260101000000' })
  const holder = await database.login()
  await holder.query('begin; lock table a')
  const run = database.migrate()
  await until('the lock timeout is reported', async () => database.said.some((line) => line.includes('55P03')))
  await holder.query('rollback')
  t.strictSame(await run, [second])
})

t.test("the database's timeouts do not end a migration", async (t) => {
  const database = await scratch(t, { [first]: sql('select pg_sleep(2);') })
  await database.client.query(`alter database ${database.target.database} set statement_timeout = '1s'`)
  t.strictSame(await database.migrate(), [first])
})

t.test("the user's environment is not passed to dbmate", async (t) => {
  const database = await scratch(t, { [first]: table('a') })
  const foreign = {
    DBMATE_DRIVER: 'mysql',
    DBMATE_MIGRATIONS_TABLE: 'public.elsewhere',
    DBMATE_MIGRATIONS_DIR: '/nowhere',
    DBMATE_WAIT: 'what',
  }
  Object.assign(process.env, foreign)
  t.teardown(() => Object.keys(foreign).forEach((name) => delete process.env[name]))
  t.strictSame(await database.migrate(), [first])
  t.strictSame(await database.applied(), ['20260101000000'])
})

t.test('rollback undoes the newest migration and deletes its checksum', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: table('b') })
  await database.migrate()
  t.equal(await database.rollback(), second)
  t.strictSame(await database.states(), ['applied', 'pending'])
  t.strictSame(await database.recorded(), ['20260101000000'])
  t.strictSame(await column(database.client, `select to_regclass('b')`), [null])
  await database.write(second, table('other'))
  t.strictSame(await database.migrate(), [second])
})

t.test('a down section that raises keeps the migration and its checksum', async (t) => {
  const down = `do $$ begin raise 'rows would be lost' using errcode = 'LS001'; end $$;`
  const database = await scratch(t, { [first]: sql('create table a (id int);', down) })
  await database.migrate()
  const { message } = await failureOf(database.rollback())
  t.match(message, first)
  t.match(message, 'LS001')
  t.match(message, 'rows would be lost')
  t.strictSame(await database.states(), ['applied'])
  t.strictSame(await database.recorded(), ['20260101000000'])
})

t.test('a rollback to a version undoes every newer migration, the newest first', async (t) => {
  const database = await scratch(t, { [first]: table('a'), [second]: table('b'), [third]: table('c') })
  await database.migrate()
  const preview = async (to: string) => (await previewRollback(database.target, { folder: database.folder, to })).map(({ version }) => version)
  t.strictSame(await preview('20260101000000'), ['20260103000000', '20260102000000'])
  t.strictSame(await database.applied(), ['20260101000000', '20260102000000', '20260103000000'], 'a preview undoes none')
  for (const unknown of ['20260101', '20260104000000', '', 'create_a']) {
    t.match((await failureOf(database.rollbackTo(unknown))).message, `no applied migration has the version ${unknown}`)
  }
  t.strictSame(await database.rollbackTo('20260101000000'), [third, second])
  t.strictSame(await database.states(), ['applied', 'pending', 'pending'])
  t.strictSame(await database.recorded(), ['20260101000000'])
  t.strictSame(await database.rollbackTo('20260101000000'), [])
})

t.test('a rollback to a version stops at the first migration that refuses, and lists undone and remaining ones', async (t) => {
  const refusing = sql('create table b (id int);', `do $$ begin raise 'rows would be lost' using errcode = 'LS001'; end $$;`)
  const files = { [first]: table('a'), '20260101120000_create_x.sql': table('x'), [second]: refusing, [third]: table('c') }
  const database = await scratch(t, files)
  await database.migrate()
  const { message } = await failureOf(database.rollbackTo('20260101000000'))
  t.match(message, new RegExp(`^${second}\\S* stays applied: .*LS001.*; undone before it: ${third}; not undone either: 20260101120000_create_x\\.sql$`))
  t.strictSame(await database.states(), ['applied', 'applied', 'applied', 'pending'])
})

t.test('for a role that may not grant the roles of the API, the error names the missing grant', async (t) => {
  const role = `migrator_${randomBytes(6).toString('hex')}`
  const database = await scratch(t, { [first]: sql(`create role ${role}_service nologin; grant ${role}_api to ${role}_service;`) })
  const { client, folder, target } = database
  await client.query(`create role ${role} login createrole password 'x'; create role ${role}_api; grant all on database ${target.database} to ${role}`)
  t.teardown(() => withClient(admin, (client) => client.query(`drop owned by ${role}; drop role ${role}, ${role}_api`).catch(() => undefined)))
  const url = new URL(target.dbmateUrl)
  url.username = role
  url.password = 'x'
  const { rows } = await client.query<{ version: number }>(`select current_setting('server_version_num')::int as version`)
  // Up to PostgreSQL 15, CREATEROLE is sufficient.
  if (rows[0]!.version < 160_000) return
  const { message, remedy } = await failureOf(migrate(parseDatabaseUrl(url.href), { folder }))
  t.match(message, '42501')
  t.match(remedy, 'grant anon, authenticated, service_role to postgres with admin option')
})

t.test('a database that cannot be migrated is refused in one line', async (t) => {
  const database = await scratch(t, { [first]: table('a') })
  const { folder, target } = database
  t.match((await failureOf(migrate(withDatabase(target, 'no_such_one'), { folder }))).message, 'no_such_one')
  t.match((await failureOf(migrate({ ...target, port: 6543 }, { folder }))).remedy, '5432')

  const role = target.database
  await database.client.query(`create role ${role} login password 'x'`)
  t.teardown(() => withClient(admin, (client) => client.query(`drop role ${role}`)))
  const url = new URL(target.dbmateUrl)
  url.username = role
  url.password = 'x'
  t.match((await failureOf(migrate(parseDatabaseUrl(url.href), { folder }))).message, '42501')
})

t.test('the exit codes of the commands show the outcome', async (t) => {
  const { target } = await scratch(t, {})
  const run = (name: string, ...args: string[]) => runLeo({ target }, name, args)
  const codes = [run('status'), run('rollback', '--to=1'), run('new', '--name=nonsense')]
  t.strictSame((await Promise.all(codes)).map(({ code }) => code), [3, 1, 1])
})
