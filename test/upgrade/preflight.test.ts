import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import type { Target } from '../../scripts/core/target.ts'
import { fillLegacyDatabase, allDirt } from '../../scripts/upgrade/legacy-database.ts'
import { fileName } from '../../scripts/migrate/migrations.ts'
import { caseCodes, type CaseCode } from '../../scripts/upgrade/preflight/cases.ts'
import { preflight, type PreflightOptions } from '../../scripts/upgrade/preflight/examine.ts'
import { formatRange } from '../../scripts/schema/measure/forecast.ts'
import { readOnly } from '../../scripts/upgrade/preflight/read-only.ts'
import { https, visibleCharacter } from '../../scripts/upgrade/preflight/dirty-data.ts'
import { exitCode, type Report } from '../../scripts/upgrade/preflight/report.ts'
import { formatReport } from '../../scripts/upgrade/preflight/format-text.ts'
import { runLeo } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { column } from '../fixtures/column.ts'
import {
  baseline, cloneDatabase, contractWithoutDbmate, createLegacyDatabase, expanded, insertRequest, migrations, runMigrations, signUp, type LegacyDatabase,
} from './fixtures/legacy.ts'
import { clusterAdmin } from '../fixtures/server.ts'
import { insertDirtyRows } from './fixtures/dirty_rows.ts'

/** Rehearses on the tests' server. A rehearsal of all migrations takes seconds, so only one test has pending ones. */
const withServer = <T>(work: (admin: Target) => Promise<T>): Promise<T> => work(clusterAdmin())

async function folderOf(t: Test, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'leo-preflight-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const [name, source] of Object.entries(files)) await writeFile(join(folder, name), source)
  return folder
}

const first = migrations.find(({ version }) => version === baseline)!
const folder = await folderOf(t, { [fileName(first)]: first.source })
/** The migrations up to the end of expand. `run()` applies them without recording them. */
const expandedFolder = await folderOf(
  t,
  Object.fromEntries(migrations.flatMap((one) => (one.version <= expanded ? [[fileName(one), one.source]] : []))),
)
async function expandQuickly(live: LegacyDatabase): Promise<void> {
  await runMigrations(live, baseline, expanded)
  const versions = migrations.flatMap(({ version }) => (version > baseline && version <= expanded ? [version] : []))
  await live.owner.query('insert into dbmate.schema_migrations select unnest($1::text[])', [versions])
}
const runPreflight = ({ target }: Pick<LegacyDatabase, 'target'>, options: PreflightOptions = {}): Promise<Report> =>
  preflight(target, { folder, withServer, ...options })

/** The cases with a count above 0, as code → count. */
const counts = ({ data }: Report): Partial<Record<CaseCode, number>> =>
  Object.fromEntries(data.cases.filter(({ count }) => count > 0).map(({ code, count }) => [code, count]))

const caseOf = (report: Report, code: CaseCode) => report.data.cases.find((one) => one.code === code)

const codes = (findings: ReadonlyArray<{ code: string }>): string[] => findings.map(({ code }) => code)

const legacy = await createLegacyDatabase(t)

// --- Dirty data

t.test('a clean database gets the verdict go, and every case is reported with a count of 0', async (t) => {
  const live = await cloneDatabase(t, legacy)
  await fillLegacyDatabase(live.owner, { seed: 1, users: 5, requests: 50, snapshots: 100, dirt: {} })
  const report = await runPreflight(live)
  t.strictSame(counts(report), {})
  t.strictSame(report.data.cases.map(({ code }) => code), caseCodes)
  const none = { length: 0 }
  t.match(report, { verdict: 'go', refusals: none, questions: none, data: { stage: 'before expand', contested: none } })
  t.equal(exitCode(report), 0)
})

t.test('the counts that preflight predicts equal what the backfill does', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner } = live
  await fillLegacyDatabase(owner, { seed: 4, users: 8, requests: 400, snapshots: 900, dirt: allDirt(0.06) })
  const report = await runPreflight(live, { deep: true })
  t.equal(exitCode(report), 1)
  t.strictSame(codes(report.questions), ['app_contested', 'generating_stale'])
  const predicted = counts(report)

  await expandQuickly(live)
  const afterExpand = { deep: true, folder: expandedFolder }
  const expandedReport = await runPreflight(live, afterExpand)
  t.equal(expandedReport.data.stage, 'backfill pending')
  t.strictSame(counts(expandedReport), predicted, 'expand changes none of the counts')

  await backfill(owner, { staleAfter: '1 day' })
  const left = counts(await runPreflight(live, afterExpand))
  const lost = ['app_contested', 'app_contested_requests', 'snapshot_request_lost', 'snapshot_iteration_repeated', 'snapshot_request_missing']
  t.strictSame(Object.keys(left).filter((code) => !code.startsWith('files_') && !lost.includes(code)), [])

  await contractWithoutDbmate(live)
  const tally = async (query: string) => Object.fromEntries((await owner.query<{ key: string; count: number }>(query)).rows.map(({ key, count }) => [key, count]))
  const quarantined = await tally(`select table_name || ': ' || reason as key, count(*)::int as count from private.quarantine group by 1`)
  t.strictSame(quarantined, {
    'generation_requests: user_id is null': predicted.user_id_missing,
    'generation_requests: user_id is not in auth.users': predicted.user_id_unknown,
    'generation_requests: several users claim app_id, and no owner is chosen': predicted.app_contested_requests,
    'iteration_snapshots: its generation does not exist': predicted.snapshot_request_missing,
    'iteration_snapshots: its generation is in quarantine': predicted.snapshot_request_lost,
    'iteration_snapshots: the same as an earlier snapshot': predicted.snapshot_identical,
  })
  const logged = await tally(`select table_name || '.' || column_name as key, count(distinct row_id)::int as count from private.migration_log group by 1`)
  t.match(logged, {
    'apps.app_name': predicted.app_name_taken,
    'generation_requests.app_id': predicted.app_id_missing,
    'generation_requests.app_name': predicted.app_name_blank,
    'generation_requests.status': predicted.generating_stale,
    'generation_requests.max_iterations': predicted.iteration_over_limit,
  })
})

t.test('each case is found and reported with the ids of its rows', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner } = live
  const { expected, contested } = await insertDirtyRows(owner)
  const report = await runPreflight(live)
  t.strictSame(
    Object.fromEntries(report.data.cases.filter(({ count }) => count > 0).map(({ code, examples }) => [code, [...examples]])),
    Object.fromEntries(caseCodes.flatMap((code) => (expected[code] ? [[code, expected[code].slice(0, 5)]] : []))),
  )
  t.strictSame(
    Object.entries(counts(report)).filter(([code, count]) => count !== expected[code as CaseCode]?.length),
    [],
    'the counts are correct',
  )
  const never: CaseCode[] = ['unknown_column', 'unknown_enum_value', 'zone_unknown', 'app_of_another_user']
  t.strictSame(caseCodes.filter((code) => caseOf(report, code)?.count === 0), never, 'every other case occurs here')
  t.strictSame(report.data.contested, [contested])
  for (const text of [JSON.stringify(report), formatReport(report, false)]) t.notMatch(text, /Secret|list of books|example\.com/)
})

t.test('a request with another user\'s app id is reported once the app exists', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner } = live
  const app_id = randomUUID()
  await expandQuickly(live)
  await insertRequest(owner, { user_id: await signUp(owner), app_id })
  await backfill(owner)
  const id = await insertRequest(owner, { user_id: await signUp(owner), app_id })
  t.match(caseOf(await runPreflight(live, { folder: expandedFolder }), 'app_of_another_user'), { count: 1, examples: [`${id}`] })
})

// --- Refusals

t.test('columns and enum values that the schema does not define are refused', async (t) => {
  const live = await cloneDatabase(t, legacy)
  await live.owner.query(`
    alter table public.generation_requests add column region text;
    alter type public.generation_mode add value 'turbo'`)
  const report = await runPreflight(live)
  t.strictSame(codes(report.refusals), ['unknown_column', 'unknown_enum_value'])
  t.strictSame(caseOf(report, 'unknown_column')?.examples, ['public.generation_requests.region'])
  t.strictSame(caseOf(report, 'unknown_enum_value')?.examples, ['public.generation_mode: turbo'])
  t.equal(exitCode(report), 2)
})

t.test('tables that are not adopted yet are compared with the baseline without recording anything', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner } = live
  await owner.query('drop schema dbmate cascade; create index mine on public.generation_requests (app_name)')
  const harmless = await runPreflight(live)
  t.match(harmless, { verdict: 'go', next: 'make adopt', adoption: { outcome: 'to adopt', differences: [{ isRefused: false }] } })
  await owner.query('create policy theirs on public.generation_requests using (true)')
  const refused = await runPreflight(live)
  t.match(refused, { verdict: 'refused', adoption: { outcome: 'refused' }, refusals: [{ code: 'adoption_refused' }] })
  await owner.query('alter table public.generation_requests rename column status to state')
  t.match(await runPreflight(live), { verdict: 'refused', data: { stage: 'not examined' } })
  t.strictSame(await column(owner, `select to_regnamespace('dbmate')::text`), [null])
})

t.test('times without a zone on a server that is not in UTC are refused until the operator names the zone', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner, name } = live
  await owner.query(`alter database ${name} set timezone to 'Europe/Berlin'`)
  t.match(await runPreflight(live), { verdict: 'go' }, 'without rows no answer is needed')
  await insertRequest(owner, { user_id: await signUp(owner) })
  const asked = await runPreflight(live)
  t.match(asked, { verdict: 'refused', refusals: [{ code: 'zone_unknown', remedy: /make adopt time_zone=/ }] })
  t.equal(caseOf(asked, 'zone_unknown')?.count, 3)
  await owner.query(`
    create table dbmate.upgrade_answers (question text primary key, answer text);
    insert into dbmate.upgrade_answers values ('time_zone', 'Europe/Berlin')`)
  t.match(await runPreflight(live), { verdict: 'go', notes: [{ code: 'zone_rewrites', what: /public\.generation_requests/ }] })
})

t.test('a migration history that does not match the folder is refused', async (t) => {
  const live = await cloneDatabase(t, legacy)
  await live.owner.query(`
    update dbmate.migration_checksums set checksum = 'another';
    insert into dbmate.schema_migrations values ('20990101000000')`)
  t.strictSame(codes((await runPreflight(live)).refusals), ['migrations_edited', 'migrations_missing'])
})

// --- Locks and privileges on the live database

t.test('preflight needs only the right to read, writes nothing and waits for no writer', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const { owner } = live
  await fillLegacyDatabase(owner, { seed: 2, users: 5, requests: 50, snapshots: 100, dirt: allDirt(0.1) })
  const expected = await runPreflight(live)
  await withClient(clusterAdmin(live.name), (admin) =>
    admin.query(`
      grant select on all tables in schema public, auth, dbmate to service_role;
      grant usage on schema auth, dbmate to service_role`),
  )
  await owner.query('begin; lock table public.generation_requests, public.iteration_snapshots, dbmate.schema_migrations in exclusive mode')
  // EXCLUSIVE mode conflicts with every lock except ACCESS SHARE; the role may only read.
  const reader = { ...live.target, pg: { ...live.target.pg, options: '-c role=service_role' } }
  const seen = await runPreflight({ target: reader })
  await owner.query('rollback')
  t.strictSame(seen.data, expected.data)
  await t.rejects(readOnly(live.target, (client) => client.query('create table public.mine ()')), { cause: { code: '25006' } })
})

// --- The pending migrations

t.test('the migrations are measured on tables with the columns and indexes of the live ones', async (t) => {
  const live = await cloneDatabase(t, legacy)
  await live.owner.query(`
    create index mine on public.generation_requests (created_at);
    alter table public.generation_requests alter column updated_at type timestamptz;
    alter table public.generation_requests add column region text`)
  await fillLegacyDatabase(live.owner, { seed: 3, users: 5, requests: 50, snapshots: 100, dirt: {} })
  const report = await preflight(live.target, { withServer })
  t.notOk(codes(report.notes).includes('not_rehearsed'))
  t.strictSame(report.migrations.map(({ version }) => version), migrations.slice(1).map(({ version }) => version))
  const effects = (version: string) => report.migrations.find((one) => one.version === version)!
  const lock = (table: string, mode: string) => ({ table, mode })
  const locks = (version: string) => effects(version).locks.map(({ table, mode }) => lock(table, mode))
  const of = (version: string, what: 'rewrites' | 'scans') => effects(version).statements.flatMap((one) => one[what])

  t.strictSame(locks('20261122100100'), [lock('public.generation_requests', 'ACCESS EXCLUSIVE')])
  t.strictSame(of('20261122100100', 'rewrites'), [], 'no rewrite in UTC')
  const rebuilt = effects('20261122100100').statements.flatMap(({ indexes }) => indexes)
  t.strictSame(rebuilt, [{ name: 'public.mine', table: 'public.generation_requests' }], 'but an index of the live table is rebuilt')
  t.strictSame(locks('20261122110000'), [
    lock('public.apps', 'SHARE ROW EXCLUSIVE'),
    lock('public.generation_requests', 'ACCESS EXCLUSIVE'),
  ])
  t.strictSame(of('20261122110000', 'scans'), [])
  t.strictSame(locks('20261122110100'), [
    lock('public.apps', 'ROW SHARE'),
    lock('public.generation_requests', 'SHARE UPDATE EXCLUSIVE'),
  ])
  t.strictSame(of('20261122110100', 'scans'), ['public.apps', 'public.generation_requests'])
  t.strictSame(of('20261122110200', 'scans'), [], 'NOT NULL is proven by a check')
  t.match(effects('20261122104000').statements, [{ isConcurrent: true, indexes: [{ table: 'public.generation_requests' }] }])
  t.match(report.tables.find(({ table }) => table === 'public.iteration_snapshots'), { rows: 100 })
})

t.test('a pending migration that would fail is refused', async (t) => {
  const live = await cloneDatabase(t, legacy)
  const broken = await folderOf(t, {
    [fileName(first)]: first.source,
    '20300101000000_break_it.sql': '-- migrate:up\nalter table public.absent add column id integer;\n\n-- migrate:down\nselect 1;\n',
  })
  t.match(await runPreflight(live, { folder: broken }), { verdict: 'refused', refusals: [{ code: 'migration_fails', what: /42P01/ }] })
})

t.test('a range of seconds is formatted with one significant digit for each end', (t) => {
  t.equal(formatRange([0, 0.9]), 'under a second')
  t.equal(formatRange([0.2, 4.4]), 'up to about 4 s')
  t.equal(formatRange([3.1, 7.2]), 'about 3 to 7 s')
  t.equal(formatRange([340, 880]), 'about 6 to 10 min')
  t.end()
})

t.test('the patterns for visible characters and https URLs are those of the database', (t) => {
  const rules = migrations.find(({ name }) => name === 'create_common_functions')!
  t.ok(rules.up.includes(`return p_text collate "C" ~ '${visibleCharacter}';`))
  t.ok(rules.up.includes(`return p_text ${https};`))
  t.end()
})

// --- The command

t.test('the command prints its report, and a failure exits with 2, not 1', async (t) => {
  const db = await createMigratedDatabase(t)
  const [printed, unreachable] = await Promise.all([
    runLeo(db, 'preflight', ['--json']),
    runLeo(db, 'preflight', ['--json'], { DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none' }),
  ])
  t.equal(printed.code, 0)
  const report = JSON.parse(printed.stdout) as Report
  t.match(report, { format: 1, verdict: 'go', migrations: { length: 0 }, data: { stage: 'nothing to do' } })
  t.match(formatReport(report, false), /go \(/)
  t.match(unreachable, { code: 2, stdout: /^$/ })
})
