import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import t from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { allDirt, fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { readMigrations, type Migration } from '../../scripts/migrate/migrations.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { readUpgradedRows, assertSameRows } from '../fixtures/contents.ts'
import { createStoppableDatabase, kinds } from './fixtures/kill.ts'
import { batches, killBatch, runScript } from './fixtures/kill_backfill.ts'
import { applyMigration, blockersOf, createFolder, kill, killMigration, statements } from './fixtures/kill_migrations.ts'
import { baseline, expanded, migrations, runMigrations } from './fixtures/legacy.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { loginTo, template } from '../fixtures/server.ts'
import { startKillableServer } from '../fixtures/killable_server.ts'

// A random sample of the points at which test/full/kill_everywhere.test.ts kills the upgrade.

const seed = Number(process.env['KILL_SEED'] ?? randomInt(1_000_000))
const random = numbersFrom(seed)
const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!

const server = await startKillableServer(t)
const confirmation = `insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true)`
const data = { seed: 1, users: 30, requests: 100, snapshots: 200, dirt: allDirt(0.1) }

t.test(`an upgrade that is killed at random points has the same result as one that is not (KILL_SEED=${seed})`, async (t) => {
  const folder = await createFolder(t)
  const reference = await createStoppableDatabase(server, 'reference')
  await withClient(reference.target, async (owner) => {
    const live = { name: reference.name, target: reference.target, owner }
    await runMigrations(live, '', baseline)
    await fillLegacyDatabase(owner, data)
    await runMigrations(live, baseline, expanded)
    await backfill(owner)
    await owner.query(confirmation)
    await runMigrations(live, expanded, migrations.at(-1)!.version)
  })
  await reference.removeKillSchema()

  const live = await createStoppableDatabase(server, 'live')
  const go = (to: string) => applyMigration(t, live, folder, migrations.find(({ version }) => version === to)!)
  const killAt = async (migration: Migration) => {
    const before = migrations.findLast(({ version }) => version < migration.version)!
    await go(before.version)
    await folder.instrument(migration)
    const blocker = oneOf([undefined, ...blockersOf(migration)])
    const at = migration.transaction ? 1 + Math.floor(random() * (1 + (await statements(migration)).length)) : 1
    await killMigration(t, live, folder, migration, { at, ...(blocker && { blocker }) }, oneOf(kinds))
    await folder.restore(migration)
  }
  const expanding = migrations.filter(({ version }) => version > baseline && version <= expanded)
  const contracting = migrations.filter(({ version }) => version > expanded)
  const toKill = [true, false]
    .map((inOne) => oneOf(contracting.filter(({ transaction }) => transaction === inOne)))
    .sort((a, b) => (a.version < b.version ? -1 : 1))

  await go(baseline)
  await withClient(live.target, (owner) => fillLegacyDatabase(owner, data))
  await killAt(oneOf(expanding))
  await go(expanded)

  await live.instrument()
  await killBatch(t, live, oneOf(batches(50)), 1 + Math.floor(random() * 3), oneOf(['backend', 'server'] as const))
  await live.stopAt(1 + Math.floor(random() * 10))
  const script = runScript(live, [])
  t.ok(await live.waitUntilStopped(script), 'leo backfill stops')
  script.kill()
  await script.ended
  await live.stopAt()
  await live.release()
  await withClient(live.target, async (owner) => {
    t.ok(await backfill(owner), 'the backfill completes')
    await owner.query(confirmation)
  })

  for (const migration of toKill) await killAt(migration)
  await go(migrations.at(-1)!.version)
  await live.removeKillSchema()
  t.equal(await dumpSchema(live.target), await dumpSchema(loginTo(template, 'postgres')), 'the same schema')
  const contentsOf = ({ target }: typeof live) => withClient(target, readUpgradedRows)
  assertSameRows(t, await contentsOf(live), await contentsOf(reference), 'the same rows')
})

t.test('the test detects a migration that is killed after committing a part of its changes', async (t) => {
  const source = await mkdtemp(join(tmpdir(), 'leo-saas-schema-kill-'))
  t.teardown(() => rm(source, { recursive: true }))
  const half = `do $$
    begin
      insert into public.whole values (1);
      commit;
      insert into public.whole values (2);
    end $$;`
  const files = { create_whole: 'create table public.whole (id integer);', fill_half: half }
  for (const [at, [name, up]] of Object.entries(files).entries()) {
    const option = up === half ? ' transaction:false' : ''
    const text = `-- migrate:up${option}\n${up}\n-- migrate:down\nselect 1;\n`
    await writeFile(join(source, `2026010100000${at}_${name}.sql`), text)
  }
  const folder = await createFolder(t, source)
  const [whole, broken] = await readMigrations(source)
  const database = await createStoppableDatabase(server, 'broken')
  await applyMigration(t, database, folder, whole!)
  t.strictSame((await kill(database, folder, broken!, { at: 1 }, 'backend')).changed, [], 'killed before the commit')
  t.strictSame((await kill(database, folder, broken!, { at: 2 }, 'backend')).changed, ['whole'], 'killed after the commit')
  await database.disconnect()
})
