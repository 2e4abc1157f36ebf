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
import { examineApps, examineCopies, examineRequests, examineSnapshots, findContested } from './questions.ts'
import type { Rehearsal } from '../../schema/measure/rehearse.ts'
import { readSizes } from '../../schema/measure/sizes.ts'
import { readLikeness, rehearseUpgrade, type Likeness } from './rehearsal.ts'
import { verdictOf } from './report.ts'
import type { Adoption, ContestedApp, Data, Finding, Report, Stage } from './report.ts'
import { examineAdoption, examineUnknown, examineZone, findStage, refuseHistory } from './live-state.ts'
import type { Zone } from './live-state.ts'

export interface PreflightOptions {
  /** Looks into the files of all snapshots, and compares all that repeat an iteration: hours on a large database. */
  readonly deep?: boolean
  /** Instead of `db/migrations`. */
  readonly folder?: string
  /** Hears how a deep look gets on, a line at a time. */
  readonly say?: (line: string) => void
  /** Lends a server of ours, as its superuser, to rehearse the migrations on. */
  readonly withServer?: typeof withScratchServer
}

/**
 * What an upgrade would meet on a live database. Changes nothing there and stands in nobody's way: read only, one
 * snapshot, ACCESS SHARE locks. What the pending migrations do is measured on a server of our own.
 *
 * @throws Failure when the database cannot be looked at.
 */
export async function preflight(target: Target, options: PreflightOptions = {}): Promise<Report> {
  const started = performance.now()
  const migrations = await readMigrations(options.folder)
  const history = await status(target, options.folder === undefined ? {} : { folder: options.folder })
  const historyRefusals = refuseHistory(history)
  let rehearsal: Promise<Rehearsal> | undefined
  try {
    const seen = await readOnly(target, async (client) => {
      const situation = await examineSituation(client, migrations, history)
      const pending = pendingOf(history, situation.adoption)
      if (historyRefusals.length === 0 && pending.size > 0) {
        const { withServer = withScratchServer } = options
        const { likeness } = situation
        rehearsal = withServer((admin) => rehearseUpgrade(admin, migrations, pending, likeness))
        // It is awaited below, whatever happens here meanwhile.
        rehearsal.catch(() => undefined)
      }
      return { ...situation, ...(await examineData(client, situation, options.deep ?? false)) }
    })
    if (seen.stage !== 'nothing to do' && seen.stage !== 'not examined') {
      const [snapshots] = await readOnly(target, (client) => readSizes(client, ['public.iteration_snapshots']))
      const files = await examineFiles(target, snapshots?.rows ?? 0, { deep: false, ...options })
      for (const [code, found] of files) seen.found.set(code, found)
    }
    const rehearsed = await outcomeOf(rehearsal)
    const names = new Set([...Object.keys(baselineTables), ...(rehearsed.rehearsal?.migrations ?? []).flatMap(tablesOf)])
    const sizes = await readOnly(target, (client) => readSizes(client, [...names]))
    const cases = casesOf(seen.found)
    const zone = judgeZone(seen.zone, (name) => rewriteTime(sizes.find(({ table }) => table === name)))
    const refusals = [
      ...historyRefusals,
      ...judgeAdoption(seen.adoption),
      ...judgeUnknown(cases),
      ...zone.refusals,
      ...rehearsed.refusals,
    ]
    const questions = judgeQuestions(cases)
    return {
      format: 1,
      database: target.label,
      server_version: seen.version,
      verdict: verdictOf({ refusals, questions }),
      next: next(seen, refusals, pendingOf(history, seen.adoption).size),
      milliseconds: Math.round(performance.now() - started),
      refusals,
      questions,
      notes: [...zone.notes, ...seen.notes, ...rehearsed.notes],
      adoption: seen.adoption,
      tables: sizes,
      migrations: forecast(rehearsed.rehearsal?.migrations ?? [], sizes),
      data: { stage: seen.stage, cases, contested: seen.contested },
    }
  } finally {
    await rehearsal?.catch(() => undefined)
  }
}

interface Situation {
  readonly version: string
  readonly adoption: Adoption
  readonly zone: Zone
  readonly stage: Stage
  /** Of the baseline's tables, where they are there and will be migrated. */
  readonly likeness: Likeness | undefined
  readonly found: Map<CaseCode, Found>
}

async function examineSituation(
  client: pg.Client,
  migrations: readonly Migration[],
  history: readonly MigrationStatus[],
): Promise<Situation> {
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
    likeness: adoption.outcome === 'nothing there' ? undefined : await readLikeness(client, answered),
    found,
  }
}

/** A database that has the tables never runs the baseline: it adopts it. */
const pendingOf = (history: readonly MigrationStatus[], { outcome }: Adoption): ReadonlySet<string> =>
  new Set(
    history
      .filter(({ state, version }) => state === 'pending' && (outcome === 'nothing there' || version !== baselineVersion))
      .map(({ version }) => version),
  )

type DataSeen = Pick<Data, 'stage' | 'contested'> & { readonly notes: readonly Finding[] }

async function examineData(
  client: pg.Client,
  { stage, adoption, zone, found }: Situation,
  deep: boolean,
): Promise<DataSeen> {
  const nothing = { contested: [] as readonly ContestedApp[], notes: [] as readonly Finding[] }
  if (stage === 'nothing to do') return { stage, ...nothing }
  await client.query('savepoint data')
  try {
    // What is compared with now() is read as the operator says, and as UTC where nobody has.
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
    return { stage, contested: contested.apps, notes: stage === 'backfill pending' ? await examineRest(client) : [] }
  } catch (error) {
    // The tables may be others than the questions are about; then that is what stands in the way.
    const code = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
    const isOfTables = /^(42|22P02)/.test(code) && code !== '42501'
    if (!isOfTables || adoption.outcome !== 'refused') throw error
    await client.query('rollback to savepoint data')
    return { stage: 'not examined', ...nothing }
  }
}

/** How far the backfill is, by what it has left. */
async function examineRest(client: pg.Client): Promise<Finding[]> {
  const [rest] = await rowsOf<{ requests: string; snapshots: string; is_word_given: boolean }>(
    client,
    `select
       (select count(*) from public.generation_requests as r
        where not exists (select from public.apps as a where a.id = r.app_id and a.user_id = r.user_id)) as requests,
       (select count(*) from public.iteration_snapshots as s where s.user_id is null) as snapshots,
       exists (
         select from private.upgrade_progress as p where p.phase = 'old_writers_gone' and p.is_finished
       ) as is_word_given`,
  )
  const { requests, snapshots, is_word_given } = rest!
  const word = is_word_given ? 'the old writers are said to be gone' : 'nobody has said that the old writers are gone'
  return [
    {
      code: 'backfill_pending',
      what: `expanded; ${requests} requests have no app and ${snapshots} snapshots no owner yet, and ${word}`,
      remedy: is_word_given
        ? 'make migrate'
        : 'make backfill, and once the old writers are stopped: make backfill old_writers=gone',
    },
  ]
}

interface Rehearsed {
  readonly rehearsal?: Rehearsal
  readonly refusals: readonly Finding[]
  readonly notes: readonly Finding[]
}

async function outcomeOf(rehearsal: Promise<Rehearsal> | undefined): Promise<Rehearsed> {
  if (!rehearsal) return { refusals: [], notes: [] }
  try {
    const done = await rehearsal
    const { failure, missing } = done
    return {
      rehearsal: done,
      refusals: failure ? [{ code: 'migration_fails', what: failure.message, remedy: failure.remedy }] : [],
      notes: missing.map((statement) => ({
        code: 'not_rehearsed',
        what: `the locks are measured without this: ${statement}`,
        remedy: 'nothing to do, unless it is an index on a time, which is built anew under the lock',
      })),
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const what = `the pending migrations were not measured: ${error.message}`
    return { refusals: [], notes: [{ code: 'not_measured', what, remedy: error.remedy }] }
  }
}
