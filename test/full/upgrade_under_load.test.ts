import process from 'node:process'
import t from 'tap'
import { upgradeUnderLoad } from '../../scripts/upgrade/bench/under-load.ts'
import { allDirt, fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { column } from '../fixtures/column.ts'
import { createLegacyDatabase } from '../upgrade/fixtures/legacy.ts'

/** For a short run: `UPGRADE_SNAPSHOTS=100000`. */
const snapshots = Number(process.env['UPGRADE_SNAPSHOTS'] ?? 3_000_000)
const requests = Math.ceil(snapshots / 3)

t.setTimeout(1_200_000)

t.test(`writers continue during the upgrade of ${requests} requests and ${snapshots} snapshots`, async (t) => {
  const { owner, target } = await createLegacyDatabase(t)
  await fillLegacyDatabase(owner, { seed: 1, users: Math.ceil(requests / 50), requests, snapshots, dirt: allDirt(0.01) })

  const { errors, reports, stalls } = await upgradeUnderLoad(target, { requests, snapshots })
  const longest = stalls.reduce((one, other) => (other.max > one.max ? other : one))
  t.comment(`the longest stall was ${longest.max.toFixed(0)} ms, during ${longest.phase}`)
  for (const { phase, seconds, writes, p99, max } of stalls) {
    if (seconds < 1 && max < 100) continue
    t.comment(`${phase}: ${seconds.toFixed(1)} s, ${writes} writes, 99 % within ${p99.toFixed(1)} ms, all within ${max.toFixed(0)} ms`)
  }

  t.strictSame(errors.slice(0, 3), [], 'no write fails')
  t.ok(reports.every(({ requestIds, snapshotIds }) => requestIds.length > 0 && snapshotIds.length > 0), 'every writer inserts')

  const findLost = (table: string, ids: readonly number[]) =>
    column<number>(
      owner,
      `select written.id from unnest($1::integer[]) as written (id)
       where not exists (select from public.${table} as r where r.id = written.id)
         and not exists (select from private.quarantine as q where q.table_name = $2 and q.row_id = written.id)`,
      [ids, table],
    )
  await t.test('every row from before or during the upgrade is in its table or in quarantine', async (t) => {
    for (const [table, count, written] of [
      ['generation_requests', requests, reports.flatMap(({ requestIds }) => requestIds)],
      ['iteration_snapshots', snapshots, reports.flatMap(({ snapshotIds }) => snapshotIds)],
    ] as const) {
      t.strictSame(await findLost(table, written), [], `${table}: rows written during the upgrade`)
      t.strictSame(
        await column<string>(
          owner,
          `select (select count(*) from public.${table}) + (select count(*) from private.quarantine where table_name = $1)`,
          [table],
        ),
        [`${count + written.length}`],
        `${table}: row count`,
      )
      t.strictSame(await findLost(table, [2 ** 31 - 1]), [2 ** 31 - 1], `${table}: the query finds a row that is in neither`)
    }
  })

  await t.test('the schema equals that of a new database', async (t) => {
    const fresh = await createMigratedDatabase(t)
    t.equal(await dumpSchema(target), await dumpSchema(fresh.target))
  })
})
