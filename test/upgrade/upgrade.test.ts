import { randomUUID } from 'node:crypto'
import t from 'tap'
import { adopt } from '../../scripts/upgrade/adopt/adopt.ts'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { only } from '../fixtures/rows.ts'
import { column } from '../fixtures/column.ts'
import {
  readAppNames, cloneDatabase, contract, contracted, contractWithoutDbmate, createLegacyDatabase, expand, expanded, finished, confirmLegacyWritersStopped, insertRequest, insertSnapshot, readQuarantined, readRequest, runMigrations, signUp, readSnapshot,
} from './fixtures/legacy.ts'
import { addDirtyApps } from './fixtures/dirty_apps.ts'
import { createDirtyCases } from './fixtures/dirty_cases.ts'
import { addDirtyRequests } from './fixtures/dirty_requests.ts'
import { addDirtySnapshots } from './fixtures/dirty_snapshots.ts'

const legacy = await createLegacyDatabase(t)
/** An empty database after expand and before the backfill. */
const empty = await cloneDatabase(t, legacy)
await expand(empty)

// --- Dirty data

t.test('dirty data', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner } = live
  const cases = createDirtyCases(owner)
  await addDirtyApps(cases)
  await addDirtyRequests(cases)
  await addDirtySnapshots(cases)

  await expand(live)
  for (const answer of cases.answers) await owner.query('insert into private.upgrade_owners values ($1, $2)', answer)
  await backfill(owner, { staleAfter: '2 days' })
  await contract(live)

  for (const [title, check] of cases.checks) await t.test(title, check)

  await t.test('the schema equals that of a fresh database, with all indexes and constraints valid', async (t) => {
    const fresh = await createMigratedDatabase(t)
    t.equal(await dumpSchema(live.target), await dumpSchema(fresh.target))
    t.strictSame(await column(owner, 'select indexrelid::regclass::text from pg_index where not indisvalid'), [])
    t.strictSame(await column(owner, 'select conname from pg_constraint where not convalidated'), [])
  })
})

// --- The operator's confirmation and answers

t.test('contract is refused until the operator confirms that the writers of the previous schema are stopped', async (t) => {
  const live = await cloneDatabase(t, empty)
  await insertRequest(live.owner, { user_id: await signUp(live.owner) })
  await backfill(live.owner)
  const refusal = await migrate(live.target).catch((error: unknown) => error)
  t.type(refusal, Failure)
  t.match(refusal, { message: /LEO10/ })
  t.strictSame(await column(live.owner, 'select max(version) from dbmate.schema_migrations'), [expanded])
  await contractWithoutDbmate(live)
})

t.test('times without a zone in a database that is not in UTC are not converted until the operator names the zone', async (t) => {
  const live = await cloneDatabase(t, await createLegacyDatabase(t))
  const { owner } = live
  const id = await insertRequest(owner, { user_id: await signUp(owner), created_at: '2025-07-01 12:00', completed_at: '2025-12-01 12:00' })
  const saved = await insertSnapshot(owner, id, { timestamp: '2025-07-01 12:30' })
  await owner.query(`alter database ${live.name} set timezone to 'Europe/Berlin'`)
  await t.rejects(migrate(live.target), { name: 'Failure', message: /LEO10/ })

  // A live database that was not created by the baseline has no such table.
  await owner.query('drop table dbmate.schema_migrations')
  await t.rejects(adopt(live.target, { timeZone: 'Europe/Atlantis' }), { name: 'Failure', message: /Atlantis/ })
  t.equal((await adopt(live.target)).outcome, 'adopted')
  t.equal((await adopt(live.target, { timeZone: 'europe/berlin', dryRun: true })).outcome, 'adopted already')
  await t.rejects(migrate(live.target), { name: 'Failure', message: /LEO10/ })
  t.equal((await adopt(live.target, { timeZone: 'europe/berlin' })).outcome, 'adopted already')

  await migrate(live.target, { upTo: expanded })
  t.match(await readRequest(owner, id), { created_at: new Date('2025-07-01T10:00Z'), completed_at: new Date('2025-12-01T11:00Z') })
  t.match(await readSnapshot(owner, saved), { timestamp: new Date('2025-07-01T10:30Z') })
  await t.rejects(adopt(live.target, { timeZone: 'UTC' }), { name: 'Failure', message: /already converted/ })
})

t.test('times without a zone are converted without a rewrite if the operator names UTC', async (t) => {
  const live = await cloneDatabase(t, await createLegacyDatabase(t))
  const { owner } = live
  const id = await insertRequest(owner, { user_id: await signUp(owner), created_at: '2025-07-01 12:00' })
  await owner.query(`alter database ${live.name} set timezone to 'Europe/Berlin'`)
  await owner.query('drop table dbmate.schema_migrations')
  await adopt(live.target, { timeZone: 'UTC' })
  const file = () => column(owner, `select pg_relation_filenode('public.generation_requests')`)
  const before = await file()
  await migrate(live.target, { upTo: expanded })
  t.strictSame(await file(), before)
  t.match(await readRequest(owner, id), { created_at: new Date('2025-07-01T12:00Z') })
})

t.test('a database without rows needs no confirmation', async (t) => {
  const live = await cloneDatabase(t, empty)
  await runMigrations(live, expanded, contracted)
  t.strictSame(await column(live.owner, 'select * from private.upgrade_progress where is_finished'), [])
})

t.test('contract refuses while many rows are not backfilled', async (t) => {
  const live = await cloneDatabase(t, empty)
  await fillLegacyDatabase(live.owner, { seed: 1, users: 10, requests: 100, snapshots: 10_100, dirt: {} })
  await live.owner.query('update public.iteration_snapshots set user_id = null')
  t.match(await outcomeOf(contractWithoutDbmate(live)), { code: 'LEO10' })
  await backfill(live.owner)
  await runMigrations(live, expanded, contracted)
})

t.test('contract fails on a locked row and does not skip it', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const id = await insertRequest(owner, { user_id: await signUp(owner) })
  const saved = await insertSnapshot(owner, id)
  await backfill(owner)
  await confirmLegacyWritersStopped(live)
  // Rows for the last pass of the contract step.
  await owner.query('update public.generation_requests set max_iterations = 0 where id = $1', [id])
  await owner.query('update public.iteration_snapshots set user_id = null where id = $1', [saved])
  for (const [table, row] of [['generation_requests', id], ['iteration_snapshots', saved]] as const) {
    await withClient(live.target, async (writer) => {
      await writer.query('begin')
      await writer.query(`select from public.${table} where id = $1 for update`, [row])
      t.match(await outcomeOf(runMigrations(live, expanded, finished)), { code: '55P03' }, table)
    })
  }
  await runMigrations(live, expanded, contracted)
  t.match(await readRequest(owner, id), { max_iterations: 10 })
})

t.test('the requests of a user that is deleted after the backfill are quarantined', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  const id = await insertRequest(owner, { user_id })
  await backfill(owner)
  await owner.query('delete from auth.users where id = $1', [user_id])
  await contractWithoutDbmate(live)
  t.match(await readQuarantined(owner, 'generation_requests', id), { reason: 'user_id is not in auth.users' })
})

// --- Rows that a stopped backfill has not processed

t.test('contract processes the rows that a stopped backfill skipped', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  // A recent unfinished request: the backfill skips it before the confirmation.
  const waiting = await insertRequest(owner, { user_id: null, status: 'queued', completed_at: null, updated_at: new Date() })
  await insertRequest(owner, { user_id })
  await owner.query('select private.backfill_contested(), private.backfill_users(10), private.backfill_requests(1)')
  t.ok(await readRequest(owner, waiting))
  await contractWithoutDbmate(live)
  t.match(await readQuarantined(owner, 'generation_requests', waiting), { reason: 'user_id is null' })
})

t.test('the operator may name an owner after a complete backfill', async (t) => {
  const live = await cloneDatabase(t, empty)
  const { owner } = live
  const app_id = randomUUID()
  const user_id = await signUp(owner)
  const done = await insertRequest(owner, { user_id, app_id, app_name: 'Todo' })
  const waiting = await insertRequest(owner, { user_id, app_id, app_name: 'Todo', status: 'queued', completed_at: null, updated_at: new Date() })
  await insertRequest(owner, { user_id: await signUp(owner), app_id })
  await backfill(owner)
  await owner.query('update private.upgrade_owners set user_id = $2 where app_id = $1', [app_id, user_id])
  await backfill(owner)
  await contractWithoutDbmate(live)
  t.strictSame(await readAppNames(owner, user_id), ['Todo'])
  t.ok(await readRequest(owner, waiting))
  t.ok(await readRequest(owner, done))
})

for (const size of [1, 10]) {
  t.test(`the same snapshots are identical with batches of ${size} and in a second run`, async (t) => {
    const live = await cloneDatabase(t, empty)
    const { owner } = live
    const id = await insertRequest(owner, { user_id: await signUp(owner) })
    const pairs: Array<[first: number, second: number]> = []
    for (const columns of [{ snapshot_type: null }, { metadata: '[1]' }]) {
      const iteration_number = pairs.length
      pairs.push([
        await insertSnapshot(owner, id, { iteration_number, ...columns }),
        await insertSnapshot(owner, id, { iteration_number, ...columns }),
      ])
    }
    await owner.query('select private.backfill_users(10)')
    for (let count = 1; count > 0; ) {
      count = only(await owner.query<{ count: number }>('select private.backfill_snapshots($1) as count', [size])).count
    }
    const left = () => column<number>(owner, 'select id from public.iteration_snapshots order by id')
    t.strictSame(await left(), pairs.map(([first]) => first))
    await backfill(owner)
    t.strictSame(await left(), pairs.map(([first]) => first))
  })
}
