import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { baselineVersion } from '../adopt/baseline.ts'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { readMigrations } from '../../migrate/migrations.ts'
import { migrate } from '../../migrate/migrator.ts'
import { fromRoot } from '../../core/paths.ts'
import { expandedVersion, finishVersion } from '../steps.ts'
import { naiveMigration } from './naive.ts'
import { stalls, startWriters, type Phase, type Stall, type WritersReport } from './writers.ts'

export interface LoadResult {
  readonly stalls: Stall[]
  readonly errors: string[]
  readonly reports: WritersReport[]
  /** The peak resident set size of `make backfill` in MiB. */
  readonly peakMemory: number
}

interface Size {
  readonly requests: number
  readonly snapshots: number
}

/** Runs the whole upgrade as a DBA would, with writers of the previous schema until the confirmation and new ones after it. */
export async function upgradeUnderLoad(target: Target, size: Size): Promise<LoadResult> {
  const phases: Phase[] = []
  const begin = (name: string) => phases.push({ name, from: Date.now() })
  const say = (line: string) => begin(line.replace(/^applying \d{14}_/, '').replace(/\.sql$/, ''))

  begin('before the upgrade')
  const oldWriters = await startWriters(target, 'old', size)
  await sleep(4000)
  await migrate(target, { upTo: expandedVersion, say })
  begin('make backfill')
  const peakMemory = await runBackfill(target)
  const oldReport = await oldWriters.stop()

  begin('make backfill old_writers=gone')
  const newWriters = await startWriters(target, 'new', size)
  await runBackfill(target, '--old-writers=gone')
  await migrate(target, { say })
  begin('after the upgrade')
  await sleep(2000)
  const reports = [oldReport, await newWriters.stop()]
  return { stalls: stalls(phases, Date.now(), reports), errors: reports.flatMap(({ errors }) => errors), reports, peakMemory }
}

/** The naive upgrade with writers of the previous schema: its locks block them from the first migration to the commit. */
export async function upgradeNaively(target: Target, size: Size): Promise<LoadResult> {
  const migrations = (await readMigrations()).filter(({ version }) => version > baselineVersion)
  const phases: Phase[] = [{ name: 'before the upgrade', from: Date.now() }]
  const writers = await startWriters(target, 'old', size)
  await sleep(2000)
  phases.push({ name: 'one transaction', from: Date.now() })
  await withClient(target, async (client) => {
    await client.query(`set timezone = 'UTC'`)
    await client.query(naiveMigration(migrations, finishVersion))
  })
  const until = Date.now()
  const report = await writers.stop()
  return { stalls: stalls(phases, until, [report]), errors: [], reports: [report], peakMemory: 0 }
}

/** Runs the command in a child process that prints its peak resident set size at exit. Returns it in MiB. */
async function runBackfill(target: Target, ...args: string[]): Promise<number> {
  const printPeakMemory = 'process.on("exit", () => process.stderr.write(`\\nmaxRSS ${process.resourceUsage().maxRSS}\\n`))'
  const imports = ['--import', 'tsx', '--import', `data:text/javascript,${encodeURIComponent(printPeakMemory)}`]
  const child = spawn(process.execPath, [...imports, fromRoot('scripts', 'leo.ts'), 'backfill', ...args], {
    cwd: fromRoot(),
    env: { ...process.env, DATABASE_URL: target.dbmateUrl },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => (text += more))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the backfill exited with ${code}: ${text}`)
  return Number(/maxRSS (\d+)/.exec(text)?.[1]) / 1024
}
