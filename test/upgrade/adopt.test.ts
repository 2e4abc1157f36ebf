import t from 'tap'
import type pg from 'pg'
import { baselineVersion, tables } from '../../scripts/upgrade/adopt/baseline.ts'
import { compare, type Difference } from '../../scripts/upgrade/adopt/compare.ts'
import { namesIn } from '../../scripts/upgrade/adopt/names.ts'
import { adopt } from '../../scripts/upgrade/adopt/adopt.ts'
import { connect } from '../../scripts/core/connect.ts'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { migrate, status } from '../../scripts/migrate/migrator.ts'
import { runLeo } from '../fixtures/command.ts'
import { createEmptyDatabase, createMigratedDatabase, type DatabaseFixture } from '../fixtures/database.ts'
import { clusterAdmin } from '../fixtures/server.ts'
import { liveTables } from './fixtures/live_tables.ts'
import { violations } from './fixtures/violations.ts'

const migrations = await readMigrations()
const names = await namesIn(migrations.filter(({ version }) => version > baselineVersion))

/** The columns and the primary key of dbmate's table. */
const dbmateTable = `
  select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_constraintdef(c.oid), c.conname
  from pg_attribute as a join pg_constraint as c on c.conrelid = a.attrelid and c.contype = 'p'
  where a.attrelid = 'dbmate.schema_migrations'::regclass and a.attnum > 0`

const objects = (differences: readonly Difference[], isRefused: boolean): string[] =>
  differences.filter((one) => one.isRefused === isRefused).map(({ kind, object }) => `${kind}: ${object}`).sort()

const dbmateObjects = async (owner: pg.Client): Promise<unknown> =>
  (await owner.query(`select oid::regclass::text as name from pg_class where relnamespace::regnamespace::text = 'dbmate' order by 1`)).rows

const fresh = await createEmptyDatabase(t)

t.test('an empty database has nothing to adopt', async (t) => {
  await t.rejects(adopt(fresh.target), { name: 'Failure', message: /nothing to adopt/ })
  t.strictSame(await dbmateObjects(fresh.owner), [])
})

t.test('a database that the baseline created has no difference, and is not adopted', async (t) => {
  await migrate(fresh.target, { upTo: baselineVersion })
  await fresh.owner.query('begin')
  t.strictSame(await compare(fresh.owner, names), [])
  await fresh.owner.query('rollback')
  t.equal((await adopt(fresh.target)).outcome, 'not adopted')
})

t.test('the names and nullable columns of later migrations are those that they create', async (t) => {
  const db = await createMigratedDatabase(t)
  const created = async (sql: string): Promise<string[]> => {
    const read = async ({ owner }: DatabaseFixture) => (await owner.query<{ name: string }>(sql)).rows.map(({ name }) => name)
    const before = await read(fresh)
    return (await read(db)).filter((name) => !before.includes(name))
  }
  const assertAllIn = async (known: ReadonlySet<string>, sql: string) => {
    const found = await created(sql)
    t.ok(found.length > 0, sql)
    t.strictSame(found.filter((name) => !known.has(name)), [])
  }
  const live = `('generation_requests'::regclass, 'iteration_snapshots'::regclass)`
  await assertAllIn(names.relations, `select relname as name from pg_class where relnamespace = 'public'::regnamespace`)
  await assertAllIn(names.schemas, `select nspname as name from pg_namespace where nspname !~ '^pg_'`)
  await assertAllIn(names.domains, `select typname as name from pg_type where typnamespace = 'public'::regnamespace and typtype <> 'c' and typelem = 0`)
  await assertAllIn(names.columns, `select attrelid::regclass || '.' || attname as name from pg_attribute where attrelid in ${live}`)
  await assertAllIn(names.constraints, `select conname as name from pg_constraint where contype <> 'n' and conrelid in ${live}`)

  const { rows: nullable } = await db.owner.query<{ name: string }>(`
    select 'public.' || attrelid::regclass || '.' || attname as name from pg_attribute
    where attrelid in ${live} and not attnotnull and attnum > 0 and not attisdropped`)
  const known = Object.entries(tables).flatMap(([table, columns]) =>
    Object.entries(columns).flatMap(([column, { isRequired }]) => (isRequired ? [] : [`${table}.${column}`])),
  )
  const later = [...names.columns].map((column) => `public.${column}`)
  t.strictSame(nullable.map(({ name }) => name).filter((name) => !later.includes(name)).sort(), known.sort())
})

t.test('a live database', async (t) => {
  const db = await createEmptyDatabase(t)
  const { owner, target } = db
  await owner.query(liveTables)
  const userId = await db.signUp()

  await t.test('each harmful difference is refused, and the advice removes it', async (t) => {
    const client = await connect(clusterAdmin(db.name))
    t.teardown(() => client.end())
    for (const [title, { sql, refused, isRepairable }] of Object.entries(violations)) {
      await client.query('begin; set local role postgres')
      await client.query(`${sql}; set local role postgres`)
      const differences = await compare(client, names)
      t.ok(objects(differences, true).includes(refused), title)
      t.ok(differences.every(({ advice, isRefused }) => !isRefused || advice), `${title}: has an advice`)
      t.equal(new Set(differences.map(({ object }) => object)).size, differences.length, `${title}: the objects are unique`)
      if (isRepairable !== false) {
        const advice = differences.find(({ kind, object }) => `${kind}: ${object}` === refused)?.advice ?? ''
        await client.query(`set local search_path = public; ${title.startsWith('another owner') ? 'reset role;' : ''}`)
        await client.query(advice.replaceAll('concurrently ', '').replaceAll('…', 'moved')).catch((error: Error) => t.fail(`${title}: ${error.message}`))
        await client.query('set local role postgres').catch(() => undefined)
        t.notOk(objects(await compare(client, names), true).includes(refused), `${title}: repaired`)
      }
      await client.query('rollback')
    }
  })

  await t.test('is not adopted and records nothing while a difference is refused', async (t) => {
    await owner.query(`insert into generation_requests (user_id, prompt) values ('${userId}', 'a'), ('${userId}', 'a')`)
    await owner.query('create policy everybody on generation_requests using (true)')
    await t.rejects(owner.query('create unique index concurrently invalid on generation_requests (prompt, id) where 1 / (length(prompt) - 1) = 1'), { code: '22012' })
    const { outcome, differences } = await adopt(target)
    t.equal(outcome, 'refused')
    t.strictSame(objects(differences, true), ['index: public.invalid', 'policy: public.generation_requests policy everybody'])
    t.strictSame(differences.slice(0, 2).map(({ isRefused }) => isRefused), [true, true], 'refused differences come first')
    t.strictSame(await dbmateObjects(owner), [])
    const refusing = /^refused .*drop policy "everybody" on public\.generation_requests;$/m
    t.match(await runLeo({ target }, 'adopt', ['--dry']), { code: 1, stdout: refusing })
    await owner.query('drop policy everybody on generation_requests; drop index invalid')
  })

  await t.test('gets the same result from a dry run, which records nothing', async (t) => {
    const dry = await adopt(target, { dryRun: true })
    t.equal(dry.outcome, 'adopted')
    t.strictSame(objects(dry.differences, true), [])
    t.strictSame(await dbmateObjects(owner), [])
  })

  await t.test('is adopted, and each harmless difference is recorded', async (t) => {
    const { outcome, differences } = await adopt(target)
    t.equal(outcome, 'adopted')
    t.strictSame(objects(differences, false), [
      'collation: public.generation_requests.prompt collation',
      'column: public.generation_requests.region',
      'comment: public.generation_requests comments',
      'default: public.generation_requests.app_id default',
      'default: public.generation_requests.created_at default',
      'default: public.generation_requests.current_iteration default',
      'default: public.generation_requests.max_iterations default',
      'default: public.generation_requests.status default',
      'default: public.generation_requests.updated_at default',
      'default: public.iteration_snapshots.metadata default',
      'default: public.iteration_snapshots.timestamp default',
      'foreign key: public.generation_requests constraint FK_user',
      'foreign key: public.iteration_snapshots constraint FK_request',
      'function: function public.count_requests()',
      'grant: public.generation_requests to anon',
      'grant: public.generation_requests to authenticated',
      'grant: public.generation_requests to service_role',
      'grant: public.generation_requests to supabase_auth_admin',
      'grant: public.generation_requests.status to authenticated',
      'grant: public.generation_requests_id_seq to anon',
      'grant: public.iteration_snapshots to anon',
      'grant: public.iteration_snapshots to authenticated',
      'grant: public.iteration_snapshots to service_role',
      'identity: public.iteration_snapshots.id identity',
      'index: public."IDX_created"',
      'index: public."IDX_id"',
      'index: public."IDX_open"',
      'not null: public.generation_requests.created_at not null',
      'not null: public.generation_requests.current_iteration not null',
      'not null: public.generation_requests.prompt not null',
      'not null: public.generation_requests.user_id not null',
      'not null: public.iteration_snapshots.timestamp not null',
      'primary key: public.generation_requests primary key',
      'publication: public.generation_requests in publication realtime',
      'replica identity: public.iteration_snapshots replica identity',
      'row security: public.iteration_snapshots row security',
      'statistics: public.request_statistics',
      'storage: public.iteration_snapshots options',
      'storage: public.iteration_snapshots.files_snapshot storage',
      'type: public.generation_requests.app_name type',
      'type: public.generation_requests.created_at type',
      'type: public.generation_requests.github_url type',
      'type: public.generation_requests.updated_at type',
      'view: public.users_with_requests',
    ])
    const { rows } = await owner.query('select object, kind, expected, found from dbmate.adopted_differences order by object')
    const listed = differences.map(({ object, kind, expected, found }) => ({ object, kind, expected, found }))
    t.strictSame(rows, listed.sort((a, b) => (a.object < b.object ? -1 : 1)))
    t.strictSame((await owner.query(dbmateTable)).rows, (await fresh.owner.query(dbmateTable)).rows, 'the table equals the one that dbmate creates')
    const [first, second] = await status(target)
    t.match([first, second], [{ version: baselineVersion, state: 'applied' }, { state: 'pending' }])
  })

  await t.test('is adopted once, and a second run changes nothing', async (t) => {
    const all = `select (select jsonb_agg(to_jsonb(d) order by object) from dbmate.adopted_differences as d) as differences,
      (select jsonb_agg(c) from dbmate.migration_checksums as c) as checksums, (select jsonb_agg(m) from dbmate.schema_migrations as m) as applied`
    const before = (await owner.query(all)).rows
    t.equal((await adopt(target)).outcome, 'adopted already')
    t.strictSame((await owner.query(all)).rows, before)
  })

  await t.test('is refused when it has new differences, but not when recorded ones are gone', async (t) => {
    await owner.query('create index "IDX_new" on generation_requests (region); drop index "IDX_id"')
    const drifted = await adopt(target)
    t.equal(drifted.outcome, 'drifted')
    t.strictSame(drifted.differences.map(({ object }) => object), ['public."IDX_new"'])
    await owner.query('drop index "IDX_new"')
    t.equal((await adopt(target)).outcome, 'adopted already')
  })

  await t.test('can be migrated after the adoption', async (t) => {
    const { applied } = await migrate(target, { upTo: '20261122103200' })
    t.notOk(applied.some(({ version }) => version === baselineVersion))
    const { rows } = await owner.query(`select attempt, created_at is not null as has_time from generation_requests`)
    t.strictSame(rows, [{ attempt: 0, has_time: true }, { attempt: 0, has_time: true }])
    t.equal((await adopt(target)).outcome, 'migrated')
  })
})
