import t from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { allDirt, fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { fileName } from '../../scripts/migrate/migrations.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { readUpgradedRows, assertSameRows, type UpgradedRows } from '../fixtures/contents.ts'
import { createStoppableDatabase, kinds, type Kind, type StoppableDatabase } from '../upgrade/fixtures/kill.ts'
import { batches, killBatch, killScript, runScript } from '../upgrade/fixtures/kill_backfill.ts'
import { applyMigration, blockersOf, createFolder, kill, killMigration, type Point } from '../upgrade/fixtures/kill_migrations.ts'
import { baseline, expanded, migrations } from '../upgrade/fixtures/legacy.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { startKillableServer } from '../fixtures/killable_server.ts'

t.setTimeout(3_600_000)

const word = `insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true)`
const small = { seed: 1, users: 30, requests: 100, snapshots: 200, dirt: allDirt(0.1) }

t.test('an upgrade that is killed at every statement and in every batch ends like an uninterrupted one', async (t) => {
  const server = await startKillableServer(t)
  const folder = await createFolder(t)

  const twin = await createStoppableDatabase(server, 'twin')
  await migrate(twin.target, { upTo: baseline })
  await withClient(twin.target, (owner) => fillLegacyDatabase(owner, small))
  await migrate(twin.target, { upTo: expanded })
  await withClient(twin.target, (owner) => backfill(owner).then(() => owner.query(word)))
  await migrate(twin.target)
  await twin.removeKillSchema()

  const live = await createStoppableDatabase(server, 'live')
  let isFirst = true
  const walk = async (after: string, upTo: string) => {
    for (const migration of migrations.filter(({ version }) => version > after && version <= upTo)) {
      await t.test(fileName(migration), async (t) => {
        t.setTimeout(600_000)
        await folder.instrument(migration)
        const killAt = async (point: Point, kind: Kind) => {
          // If a killed run has dropped an index, recreate it, so that the next run drops it again.
          if (!migration.transaction && !migration.concurrentIndex) {
            const { code } = await withClient(live.target, (owner) => outcomeOf(owner.query(migration.down)))
            t.match(code, /^(done|42P07)$/)
          }
          return killMigration(t, live, folder, migration, point, kind)
        }
        // The first run creates dbmate's table, which is needed to count the points.
        if (isFirst) await kill(live, folder, migration, { at: 1 }, 'backend')
        isFirst = false
        const last = await killAt({ at: 'recorded' }, 'backend')
        for (let at = 1; at < last; at++) {
          await killAt({ at }, at % 2 === 1 ? 'backend' : 'server')
          await killAt({ at }, 'client')
        }
        for (const blocker of blockersOf(migration)) for (const kind of kinds) await killAt({ at: 1, blocker }, kind)
        await killAt({ at: 'recorded' }, 'server')
        await killAt({ at: 'recorded' }, 'client')
        await folder.restore(migration)
        await applyMigration(t, live, folder, migration, true)
      })
    }
  }

  await walk('', baseline)
  await withClient(live.target, (owner) => fillLegacyDatabase(owner, small))
  await walk(baseline, expanded)

  await live.instrument()
  for (const batch of batches(20)) {
    await t.test(batch, async (t) => {
      t.setTimeout(600_000)
      for (let number = 1, count = 1; count > 0 && number <= 50; number++) {
        let passed: number | undefined
        for (let at = 1; passed === undefined && at < 100; at++) {
          passed = await killBatch(t, live, batch, at, at % 2 === number % 2 ? 'backend' : 'server')
        }
        count = batch.includes('contested') ? 0 : passed!
      }
    })
  }
  await withClient(live.target, (owner) => owner.query(word))
  await walk(expanded, migrations.at(-1)!.version)

  await live.removeKillSchema()
  t.equal(await dumpSchema(live.target), await dumpSchema(twin.target), 'the schemas are equal')
  assertSameRows(t, await contentsOf(live), await contentsOf(twin), 'the rows are equal')
})

t.test('leo backfill, killed at every change that it makes, gives the same rows', async (t) => {
  t.setTimeout(1_800_000)
  const server = await startKillableServer(t)
  const source = await createStoppableDatabase(server, 'source')
  await migrate(source.target, { upTo: baseline })
  // Enough rows for several batches in every phase.
  await withClient(source.target, (owner) =>
    fillLegacyDatabase(owner, { seed: 2, users: 1200, requests: 1200, snapshots: 1700, dirt: allDirt(0.03) }),
  )
  await migrate(source.target, { upTo: expanded })
  await source.instrument()
  await source.disconnect()
  let template = source.name
  for (const args of [[], ['--old-writers=gone']]) {
    const reference = await createStoppableDatabase(server, `reference_${args.length}`, template)
    t.equal(await runScript(reference, args).ended, undefined)
    const wanted = await contentsOf(reference)
    await reference.disconnect()
    for (let at = 1; at < 500 && (await killScript(t, server, template, args, at, wanted)); at++);
    template = reference.name
  }
})

const contentsOf = ({ target }: StoppableDatabase): Promise<UpgradedRows> => withClient(target, readUpgradedRows)
