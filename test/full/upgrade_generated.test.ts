import type pg from 'pg'
import t, { type Test } from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { connect, withClient } from '../../scripts/core/connect.ts'
import { allDirt, fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { readUpgradedRows, assertSameRows } from '../fixtures/contents.ts'
import { numbersFrom } from '../fixtures/random.ts'
import { only, type Row } from '../fixtures/rows.ts'
import { column } from '../fixtures/column.ts'
import {
  baseline, expanded, runMigrations, contractWithoutDbmate, cloneDatabase, createLegacyDatabase, type LegacyDatabase,
} from '../upgrade/fixtures/legacy.ts'

const legacy = await createLegacyDatabase(t)

const tables = ['generation_requests', 'iteration_snapshots'] as const

async function shuffleRows(client: pg.Client): Promise<void> {
  for (const table of tables) {
    // With triggers disabled, so that the rows look as if written before the expand step.
    await client.query(`
      create temp table shuffled as select * from public.${table};
      truncate public.${table};
      alter table public.${table} disable trigger user;
      insert into public.${table} select * from shuffled order by md5(id::text);
      alter table public.${table} enable trigger user;
      drop table shuffled`)
  }
}

/** Runs the backfill in batches of seven rows. Some batches are rolled back, in some the backend is terminated. */
async function backfillInterrupted(live: LegacyDatabase, random: () => number, stopAfter = Infinity): Promise<void> {
  await live.owner.query('select private.backfill_contested()')
  let worker = await connect(live.target)
  let batches = 0
  for (const phase of ['users', 'requests', 'snapshots'] as const) {
    for (let left = true; left && batches < stopAfter; batches++) {
      await worker.query('begin')
      const { count } = only(await worker.query<{ count: number }>(`select private.backfill_${phase}(7) as count`))
      const fate = random()
      if (fate < 0.75) {
        await worker.query('commit')
        left = count > 0
      } else if (fate < 0.9) {
        await worker.query('rollback')
      } else {
        const { pid } = only(await worker.query<{ pid: number }>('select pg_backend_pid() as pid'))
        await live.owner.query('select pg_terminate_backend($1, 5000)', [pid])
        worker = await connect(live.target)
      }
    }
  }
  await worker.end()
}

for (const seed of [1, 2, 3]) {
  t.test(`generated data, seed ${seed}`, async (t) => {
    const source = await cloneDatabase(t, legacy)
    await fillLegacyDatabase(source.owner, { seed, users: 6, requests: 120, snapshots: 360, dirt: allDirt(0.08) })
    await runMigrations(source, baseline, expanded)
    const before = await rowsOf(source.owner)
    const reference = await cloneDatabase(t, source)
    await backfill(reference.owner)
    const afterBackfill = await readUpgradedRows(reference.owner)
    await backfill(reference.owner)
    assertSameRows(t, await readUpgradedRows(reference.owner), afterBackfill, 'a second backfill changes nothing')
    await contractWithoutDbmate(reference)
    const wanted = await readUpgradedRows(reference.owner)

    await t.test('every row is kept or in quarantine, and every changed value is in the log', (t) =>
      assertReconciles(t, reference.owner, before),
    )

    await t.test('shuffled rows and an interrupted backfill give the same result', async (t) => {
      const live = await cloneDatabase(t, source)
      await shuffleRows(live.owner)
      await backfillInterrupted(live, numbersFrom(seed))
      await contractWithoutDbmate(live)
      assertSameRows(t, await readUpgradedRows(live.owner), wanted, 'the rows are equal')
    })

    await t.test('a backfill that the contract step finishes gives the same result', async (t) => {
      const live = await cloneDatabase(t, source)
      const random = numbersFrom(seed + 100)
      await backfillInterrupted(live, random, random() * 80)
      await contractWithoutDbmate(live)
      assertSameRows(t, await readUpgradedRows(live.owner), wanted, 'the rows are equal')
    })

    await t.test('two concurrent backfills give the same result', async (t) => {
      const live = await cloneDatabase(t, source)
      await withClient(live.target, (other) => Promise.all([backfill(live.owner), backfill(other)]))
      await contractWithoutDbmate(live)
      assertSameRows(t, await readUpgradedRows(live.owner), wanted, 'the rows are equal')
    })
  })
}

type Rows = Record<(typeof tables)[number], Map<number, Row>>

async function rowsOf(client: pg.Client): Promise<Rows> {
  const read = async (table: string) => {
    const rows = await column<Row>(client, `select to_jsonb(r) from public.${table} as r`)
    return new Map(rows.map((row) => [Number(row['id']), row]))
  }
  return { generation_requests: await read(tables[0]), iteration_snapshots: await read(tables[1]) }
}

/** Replaces the logged columns of each kept or quarantined row by their originals. The result must be the original row. */
async function assertReconciles(t: Test, client: pg.Client, before: Rows): Promise<void> {
  const now = await rowsOf(client)
  for (const table of tables) {
    const quarantine = new Map(
      (
        await client.query<{ id: string; content: Row }>(
          'select row_id as id, content from private.quarantine where table_name = $1',
          [table],
        )
      ).rows.map(({ id, content }) => [Number(id), content]),
    )
    t.equal(now[table].size + quarantine.size, before[table].size, `${table}: rows before = kept + quarantined`)
    t.strictSame([...quarantine.keys()].filter((id) => now[table].has(id)), [], `${table}: no row is both kept and quarantined`)

    const { rows: logged } = await client.query<{ id: string; column_name: string; original: string | null }>(
      'select row_id as id, column_name, original from private.migration_log where table_name = $1 order by id',
      [table],
    )
    const originals = new Map<number, Record<string, unknown>>()
    for (const { id, column_name, original } of logged) {
      originals.set(Number(id), { [column_name]: original, ...originals.get(Number(id)) })
    }
    const wrong = [...before[table]].flatMap(([id, row]) => {
      const current: Row = { ...(now[table].get(id) ?? quarantine.get(id)), ...originals.get(id) }
      return Object.entries(row)
        .filter(([name]) => name !== 'user_id' || table === 'generation_requests')
        .filter(([name, value]) => comparable(current[name]) !== comparable(value))
        .map(([name, value]) => ({ id, name, before: value, now: current[name] }))
    })
    t.strictSame(wrong.slice(0, 3), [], `${table}: with the logged originals, every row equals the row before`)
  }
}

/** As text, because the log stores text. */
const comparable = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value)
