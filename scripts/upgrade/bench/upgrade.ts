import { cpus } from 'node:os'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { baselineVersion } from '../adopt/baseline.ts'
import { backfill } from '../backfill.ts'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { Failure, main } from '../../core/failure.ts'
import { allDirt, fillLegacyDatabase } from '../legacy-database.ts'
import { migrate } from '../../migrate/migrator.ts'
import { step } from '../../core/progress.ts'
import { expandedVersion } from '../steps.ts'
import { naiveBackfill } from './naive.ts'
import { withBenchServer, type BenchServer } from '../../postgres/bench-server.ts'
import { upgradeNaively, upgradeUnderLoad, type LoadResult } from './under-load.ts'

/**
 * `make bench-upgrade`: compares the upgrade with a naive one, on a throw-away server with fsync on. `--rows` is the number of
 * snapshots; there is one request per three snapshots, and each kind of dirty data affects one row in a hundred. It asserts
 * no limits.
 */
await main(async () => {
  const sizes = options()
  await withBenchServer(async (server) => {
    const version = await withClient(server.target('postgres'), serverVersion)
    const say = (line: string) => process.stdout.write(`${line}\n`)
    say(`PostgreSQL ${version}, durable, ${cpus().length} cores, Node ${process.versions.node}\n`)

    say('Duration of the backfill including pauses; µs per row of both tables; median (minimum–maximum)\n')
    say(row('snapshots', 'requests', 'backfill', 'one call per table', 'naive statements', 'ratio to naive', 'µs per row'))
    for (const rows of sizes) {
      await prepare(server, rows)
      const repetitions = rows > 400_000 ? 1 : 3
      const times = await step(`backfilling ${rows} snapshots`, () => compareMethods(server, repetitions))
      const ratios = times.batches.map((time, index) => time / times.naive[index]!)
      const perRow = times.batches.map((time) => (time * 1000) / (rows + requestsOf(rows)))
      say(
        row(
          `${rows}`,
          `${requestsOf(rows)}`,
          `${spread(times.batches, 1000)} s`,
          `${spread(times.calls, 1000)} s`,
          `${spread(times.naive, 1000)} s`,
          spread(ratios),
          spread(perRow),
        ),
      )
    }

    const largest = sizes.at(-1)!
    const legacy = await server.copy('legacy', 'live')
    const load = { requests: requestsOf(largest), snapshots: largest }
    const stepwise = await step(`upgrading ${largest} snapshots under load`, () => upgradeUnderLoad(legacy, load))
    const naive = await step('upgrading naively', async () => upgradeNaively(await server.copy('legacy', 'live'), load))
    say(`\nLatency of writers (four connections, about 300 writes/s) during the upgrade of ${largest} snapshots\n`)
    printStalls(say, stepwise)
    say(`\nLatency of writers during the naive upgrade in one transaction\n`)
    printStalls(say, naive)
    say(`\nlongest stall ${longestStall(stepwise).toFixed(0)} ms, with the naive upgrade ${longestStall(naive).toFixed(0)} ms`)
    say(`peak memory of make backfill: ${stepwise.peakMemory.toFixed(0)} MiB`)
  })
})

function options(): number[] {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '100000 300000' } } })
  const sizes = values.rows.trim().split(/\s+/).map(Number)
  if (sizes.every((size) => Number.isInteger(size) && size >= 1000)) return sizes.sort((a, b) => a - b)
  throw new Failure(`rows="${values.rows}" is not a list of integers of at least 1000`, 'for example: rows="100000 1000000"')
}

function requestsOf(snapshots: number): number {
  return Math.ceil(snapshots / 3)
}

async function serverVersion(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ server_version: string }>('show server_version')
  return rows[0]!.server_version
}

/** Creates the databases `legacy`, at the baseline, and `expanded`, after the expand step. */
async function prepare(server: BenchServer, snapshots: number): Promise<void> {
  await step(`filling ${snapshots} snapshots`, async () => {
    await server.drop('legacy')
    const legacy = await server.create('legacy')
    await migrate(legacy, { upTo: baselineVersion })
    await withClient(legacy, async (client) => {
      const requests = requestsOf(snapshots)
      await fillLegacyDatabase(client, { seed: 1, users: Math.ceil(requests / 50), requests, snapshots, dirt: allDirt(0.01) })
      await client.query(`
        grant all on public.generation_requests, public.iteration_snapshots to service_role;
        grant all on sequence public.generation_requests_id_seq, public.iteration_snapshots_id_seq to service_role`)
      await client.query('vacuum analyze')
    })
    await migrate(await server.copy('legacy', 'expanded'), { upTo: expandedVersion })
  })
}

interface Times {
  readonly batches: number[]
  readonly calls: number[]
  readonly naive: number[]
}

/** Milliseconds per method. The methods alternate, so that other load on the machine affects all of them. */
async function compareMethods(server: BenchServer, repetitions: number): Promise<Times> {
  const times: Times = { batches: [], calls: [], naive: [] }
  const allRows = 2 ** 31 - 1
  const methods: Array<[number[], (client: pg.Client) => Promise<unknown>]> = [
    [times.naive, (client) => runAll(client, Object.values(naiveBackfill))],
    [times.batches, (client) => backfill(client)],
    [
      times.calls,
      (client) =>
        runAll(client, [
          'select private.backfill_contested()',
          ...['users', 'requests', 'snapshots'].map((phase) => `select private.backfill_${phase}(${allRows})`),
        ]),
    ],
  ]
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const [found, work] of methods) found.push(await timed(await server.copy('expanded', 'backfilled'), work))
  }
  return times
}

async function runAll(client: pg.Client, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await client.query(statement)
}

function timed(target: Target, work: (client: pg.Client) => Promise<unknown>): Promise<number> {
  return withClient(target, async (client) => {
    const started = performance.now()
    await work(client)
    return performance.now() - started
  })
}

// --- Output

function row(...cells: string[]): string {
  return cells.map((cell, index) => cell.padStart(index < 2 ? 9 : 20)).join('  ')
}

function spread(values: readonly number[], unit = 1): string {
  const sorted = values.map((value) => value / unit).sort((a, b) => a - b)
  const show = (value: number) => value.toFixed(value < 10 ? 2 : 1)
  const median = show(sorted[Math.floor(sorted.length / 2)]!)
  return sorted.length === 1 ? median : `${median} (${show(sorted[0]!)}–${show(sorted.at(-1)!)})`
}

function longestStall({ stalls }: LoadResult): number {
  return Math.max(...stalls.map(({ max }) => max))
}

function printStalls(say: (line: string) => void, { stalls, errors }: LoadResult): void {
  const cells = (...values: string[]) => `${values[0]!.padEnd(66)}${values.slice(1).map((value) => value.padStart(9)).join('')}`
  say(cells('during', 's', 'writes', 'p50 ms', 'p99 ms', 'max ms'))
  for (const { phase, seconds, writes, p50, p99, max } of stalls) {
    // Omit migrations that are fast and delayed no write.
    if (seconds < 0.5 && max < 50) continue
    say(cells(phase, seconds.toFixed(1), `${writes}`, p50.toFixed(1), p99.toFixed(1), max.toFixed(0)))
  }
  if (errors.length > 0) say(`${errors.length} writes failed: ${errors[0]}`)
}
