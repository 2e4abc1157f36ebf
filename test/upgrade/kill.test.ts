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
import { contents, sameContents } from '../fixtures/contents.ts'
import { createStage, kinds } from './fixtures/kill.ts'
import { batches, killBatch, runScript } from './fixtures/kill_backfill.ts'
import { createFolder, holdsOf, kill, killMigration, letThrough, statements } from './fixtures/kill_walks.ts'
import { baseline, expanded, migrations, run } from '../fixtures/legacy.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { loginTo, template } from '../fixtures/server.ts'
import { startVictimServer } from '../fixtures/victim_server.ts'

// A sample of what test/full/kill_everywhere.test.ts does.

const seed = Number(process.env['KILL_SEED'] ?? randomInt(1_000_000))
const random = numbersFrom(seed)
const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!

const server = await startVictimServer(t)
const word = `insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true)`
const data = { seed: 1, users: 30, requests: 100, snapshots: 200, dirt: allDirt(0.1) }

t.test(`killed here and there, an upgrade ends as one that nobody touched (KILL_SEED=${seed})`, async (t) => {
  const folder = await createFolder(t)
  const twin = await createStage(server, 'twin')
  await withClient(twin.target, async (owner) => {
    const way = { name: twin.name, target: twin.target, owner }
    await run(way, '', baseline)
    await fillLegacyDatabase(owner, data)
    await run(way, baseline, expanded)
    await backfill(owner)
    await owner.query(word)
    await run(way, expanded, migrations.at(-1)!.version)
  })
  await twin.strike()

  const live = await createStage(server, 'live')
  const go = (to: string) => letThrough(t, live, folder, migrations.find(({ version }) => version === to)!)
  const killAt = async (migration: Migration) => {
    const before = migrations.findLast(({ version }) => version < migration.version)!
    await go(before.version)
    await folder.instrument(migration)
    const hold = oneOf([undefined, ...holdsOf(migration)])
    const at = migration.transaction ? 1 + Math.floor(random() * (1 + (await statements(migration)).length)) : 1
    await killMigration(t, live, folder, migration, { at, ...(hold && { hold }) }, oneOf(kinds))
    await folder.restore(migration)
  }
  const expanding = migrations.filter(({ version }) => version > baseline && version <= expanded)
  const contracting = migrations.filter(({ version }) => version > expanded)
  const chosen = [true, false]
    .map((inOne) => oneOf(contracting.filter(({ transaction }) => transaction === inOne)))
    .sort((a, b) => (a.version < b.version ? -1 : 1))

  await go(baseline)
  await withClient(live.target, (owner) => fillLegacyDatabase(owner, data))
  await killAt(oneOf(expanding))
  await go(expanded)

  await live.instrument()
  await killBatch(t, live, oneOf(batches(50)), 1 + Math.floor(random() * 3), oneOf(['backend', 'server'] as const))
  await live.aim(1 + Math.floor(random() * 10))
  const script = runScript(live, [])
  t.ok(await live.stopped(script), 'leo backfill stops')
  script.kill()
  await script.ended
  await live.aim()
  await live.letThrough()
  await withClient(live.target, async (owner) => {
    t.ok(await backfill(owner), 'the backfill comes to its end')
    await owner.query(word)
  })

  for (const migration of chosen) await killAt(migration)
  await go(migrations.at(-1)!.version)
  await live.strike()
  t.equal(await dumpSchema(live.target), await dumpSchema(loginTo(template, 'postgres')), 'the same schema')
  const contentsOf = ({ target }: typeof live) => withClient(target, contents)
  sameContents(t, await contentsOf(live), await contentsOf(twin), 'the same rows')
})

t.test('a migration that is half done when it is killed is found out', async (t) => {
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
  const stage = await createStage(server, 'broken')
  await letThrough(t, stage, folder, whole!)
  t.strictSame((await kill(stage, folder, broken!, { at: 1 }, 'backend')).changed, [], 'before it commits')
  t.strictSame((await kill(stage, folder, broken!, { at: 2 }, 'backend')).changed, ['whole'], 'after that')
  await stage.leave()
})
