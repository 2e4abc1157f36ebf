import { performance } from 'node:perf_hooks'
import pg from 'pg'
import { baselineVersion, tables as baselineTables } from '../adopt/baseline.ts'
import { namesIn } from '../adopt/names.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { readMigrations, type Migration } from '../../migrate/migrations.ts'
import { status, type MigrationStatus } from '../../migrate/migrator.ts'
import { withScratchServer } from '../../postgres/scratch.ts'
import { casesOf, type CaseCode, type Found } from './cases.ts'
import { examineFiles } from './files.ts'
import { forecast, rewriteTime } from '../../schema/measure/forecast.ts'
import { judgeAdoption, judgeQuestions, judgeUnknown, judgeZone, next, tablesOf } from './judge.ts'
import { readOnly, rowsOf } from './read-only.ts'
import { examineApps, examineCopies, examineRequests, examineSnapshots, findContested } from './dirty-data.ts'
import type { MeasuredMigration, Rehearsal } from '../../schema/measure/rehearse.ts'
import { readSizes } from '../../schema/measure/sizes.ts'
import { readLiveSchema, rehearseUpgrade, type LiveSchema } from './rehearsal.ts'
import { verdictOf } from './report.ts'
import type { Adoption, ContestedApp, Data, Finding, Report, Stage } from './report.ts'
import { examineAdoption, examineUnknown, examineZone, findStage, findHistoryProblems } from './live-state.ts'
import type { Zone } from './live-state.ts'

export interface PreflightOptions {
  /** Reads the files of all snapshots and compares all that repeat an iteration. Takes hours on a large database. */
  readonly deep?: boolean
  /** The folder of the migrations; the default is `db/migrations`. */
  readonly folder?: string
  /** Called with one line of progress at a time during a deep run. */
  readonly say?: (line: string) => void
  /** Starts the server for the rehearsal and calls `work` with its superuser. Tests pass one that is running. */
  readonly withServer?: typeof withScratchServer
}

/**
 * Reports what an upgrade of a live database would do: locks and duration of the pending migrations, and dirty data.
 * Reads the live database only, in read-only transactions with ACCESS SHARE locks. The pending migrations run on a
 * throw-away server.
 *
 * @throws Failure when the database cannot be read.
 */
export async function preflight(target: Target, options: PreflightOptions = {}): Promise<Report> {
  const started = performance.now()
  const migrations = await readMigrations(options.folder)
  const history = await status(target, options.folder === undefined ? {} : { folder: options.folder })
  const historyRefusals = findHistoryProblems(history)
  let rehearsal: Promise<Rehearsal> | undefined
  try {
    const live = await readOnly(target, async (client) => {
      const state = await readLiveState(client, migrations, history)
      const pending = pendingOf(history, state.adoption)
      if (historyRefusals.length === 0 && pending.size > 0) {
        const { withServer = withScratchServer } = options
        const { liveSchema } = state
        rehearsal = withServer((admin) => rehearseUpgrade(admin, migrations, pending, liveSchema))
        // Awaited below; the handler prevents an unhandled rejection if this transaction fails first.
        rehearsal.catch(() => undefined)
      }
      return { ...state, ...(await examineData(client, state, options.deep ?? false)) }
    })
    if (live.stage !== 'nothing to do' && live.stage !== 'not examined') {
      const [snapshots] = await readOnly(target, (client) => readSizes(client, ['public.iteration_snapshots']))
      const files = await examineFiles(target, snapshots?.rows ?? 0, { deep: false, ...options })
      for (const [code, found] of files) live.found.set(code, found)
    }
    const rehearsed = await judgeRehearsal(rehearsal)
    const names = new Set([...Object.keys(baselineTables), ...rehearsed.migrations.flatMap(tablesOf)])
    const sizes = await readOnly(target, (client) => readSizes(client, [...names]))
    const cases = casesOf(live.found)
    const zone = judgeZone(live.zone, (name) => rewriteTime(sizes.find(({ table }) => table === name)))
    const refusals = [
      ...historyRefusals,
      ...judgeAdoption(live.adoption),
      ...judgeUnknown(cases),
      ...zone.refusals,
      ...rehearsed.refusals,
    ]
    const questions = judgeQuestions(cases)
    return {
      format: 1,
      database: target.label,
      server_version: live.version,
      verdict: verdictOf({ refusals, questions }),
      next: next(live, refusals, pendingOf(history, live.adoption).size),
      milliseconds: Math.round(performance.now() - started),
      refusals,
      questions,
      notes: [...zone.notes, ...live.notes, ...rehearsed.notes],
      adoption: live.adoption,
      tables: sizes,
      migrations: forecast(rehearsed.migrations, sizes),
      data: { stage: live.stage, cases, contested: live.contested },
    }
  } finally {
    await rehearsal?.catch(() => undefined)
  }
}

interface LiveState {
  readonly version: string
  readonly adoption: Adoption
  readonly zone: Zone
  readonly stage: Stage
  /** Undefined when the database has none of the baseline's tables. */
  readonly liveSchema: LiveSchema | undefined
  readonly found: Map<CaseCode, Found>
}

async function readLiveState(
  client: pg.Client,
  migrations: readonly Migration[],
  history: readonly MigrationStatus[],
): Promise<LiveState> {
  const names = await namesIn(migrations.filter(({ version }) => version > baselineVersion))
  const [server] = await rowsOf<{ version: string }>(client, `select current_setting('server_version') as version`)
  const zone = await examineZone(client)
  const adoption = await examineAdoption(client, history, names)
  const found = await examineUnknown(client, names)
  if (zone.naive.length > 0 && !zone.isUtc && zone.answer === undefined) {
    found.set('zone_unknown', { count: zone.naive.length, examples: zone.naive.slice(0, 5) })
  }
  const answered = zone.answer === undefined ? undefined : { server: zone.server, answer: zone.answer }
  return {
    version: server!.version,
    adoption,
    zone,
    stage: await findStage(client, history),
    liveSchema: adoption.outcome === 'nothing there' ? undefined : await readLiveSchema(client, answered),
    found,
  }
}

/** A database that has the tables adopts the baseline and does not run it. */
const pendingOf = (history: readonly MigrationStatus[], { outcome }: Adoption): ReadonlySet<string> =>
  new Set(
    history
      .filter(({ state, version }) => state === 'pending' && (outcome === 'nothing there' || version !== baselineVersion))
      .map(({ version }) => version),
  )

type DataFindings = Pick<Data, 'stage' | 'contested'> & { readonly notes: readonly Finding[] }

async function examineData(
  client: pg.Client,
  { stage, adoption, zone, found }: LiveState,
  deep: boolean,
): Promise<DataFindings> {
  const none = { contested: [] as readonly ContestedApp[], notes: [] as readonly Finding[] }
  if (stage === 'nothing to do') return { stage, ...none }
  await client.query('savepoint data')
  try {
    // Times without a zone are compared with now() in the zone that the operator named, otherwise in UTC.
    await client.query(`select set_config('TimeZone', $1, true)`, [zone.answer ?? 'UTC'])
    const contested = await findContested(client, stage)
    const rows = [
      ...(await examineRequests(client, stage, contested.ids)),
      ...(await examineApps(client, stage, contested.ids)),
      ...(await examineSnapshots(client, stage, contested.ids)),
      ...(await examineCopies(client, stage, contested.ids, deep)),
    ]
    for (const { code, ...row } of rows) found.set(code, row)
    if (contested.count > 0) found.set('app_contested', { count: contested.count, examples: contested.ids.slice(0, 5) })
    return { stage, contested: contested.apps, notes: stage === 'backfill pending' ? await examineBackfill(client) : [] }
  } catch (error) {
    // The queries fail when the tables do not match the baseline; the refused adoption already reports that.
    const code = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
    const isSchemaMismatch = /^(42|22P02)/.test(code) && code !== '42501'
    if (!isSchemaMismatch || adoption.outcome !== 'refused') throw error
    await client.query('rollback to savepoint data')
    return { stage: 'not examined', ...none }
  }
}

/** Counts the rows that the backfill has not processed yet. */
async function examineBackfill(client: pg.Client): Promise<Finding[]> {
  const [remaining] = await rowsOf<{ requests: string; snapshots: string; is_confirmed: boolean }>(
    client,
    `select
       (select count(*) from public.generation_requests as r
        where not exists (select from public.apps as a where a.id = r.app_id and a.user_id = r.user_id)) as requests,
       (select count(*) from public.iteration_snapshots as s where s.user_id is null) as snapshots,
       exists (
         select from private.upgrade_progress as p where p.phase = 'old_writers_gone' and p.is_finished
       ) as is_confirmed`,
  )
  const { requests, snapshots, is_confirmed } = remaining!
  const confirmation = `that the writers of the previous schema are stopped is ${is_confirmed ? '' : 'not '}confirmed`
  return [
    {
      code: 'backfill_pending',
      what: `expand is applied; ${requests} requests have no app and ${snapshots} snapshots no owner yet; ${confirmation}`,
      remedy: is_confirmed
        ? 'make migrate'
        : 'make backfill, stop the writers of the previous schema, make backfill old_writers=gone',
    },
  ]
}

interface RehearsalFindings {
  readonly migrations: readonly MeasuredMigration[]
  readonly refusals: readonly Finding[]
  readonly notes: readonly Finding[]
}

async function judgeRehearsal(rehearsal: Promise<Rehearsal> | undefined): Promise<RehearsalFindings> {
  if (!rehearsal) return { migrations: [], refusals: [], notes: [] }
  try {
    const { migrations, failure, skipped } = await rehearsal
    return {
      migrations,
      refusals: failure ? [{ code: 'migration_fails', what: failure.message, remedy: failure.remedy }] : [],
      notes: skipped.map((statement) => ({
        code: 'not_rehearsed',
        what: `the rehearsal could not run this statement, so the measured locks do not include it: ${statement}`,
        remedy: 'no action, unless it is an index on a timestamp column: the migration rebuilds it under the lock',
      })),
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const what = `the pending migrations were not measured: ${error.message}`
    return { migrations: [], refusals: [], notes: [{ code: 'not_measured', what, remedy: error.remedy }] }
  }
}
