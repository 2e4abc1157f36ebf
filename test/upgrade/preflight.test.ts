import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import type { Target } from '../../scripts/core/target.ts'
import { fillLegacyDatabase, allDirt } from '../../scripts/upgrade/legacy-database.ts'
import { measureMigration, type StatementEffect } from '../../scripts/schema/measure/measure.ts'
import { fileName, readMigrations } from '../../scripts/migrate/migrations.ts'
import { caseCodes, type CaseCode } from '../../scripts/upgrade/preflight/cases.ts'
import { preflight, type PreflightOptions } from '../../scripts/upgrade/preflight/examine.ts'
import { problemsOf, type FilesProblem } from '../../scripts/upgrade/preflight/files-text.ts'
import { roughly } from '../../scripts/upgrade/preflight/forecast.ts'
import { readOnly } from '../../scripts/upgrade/preflight/read-only.ts'
import { visible } from '../../scripts/upgrade/preflight/questions.ts'
import { exitCode, type Report } from '../../scripts/upgrade/preflight/report.ts'
import { inWords } from '../../scripts/upgrade/preflight/format-text.ts'
import { runScript } from '../fixtures/command.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import { baseline, clone, column, contractQuickly, createLegacy, expanded, insertRequest, insertSnapshot, migrations, run, signUp, type Live } from '../fixtures/legacy.ts'
import { type Row } from '../fixtures/rows.ts'
import { clusterAdmin } from '../fixtures/server.ts'

/** On the tests' own server; a rehearsal of every migration takes seconds, so only one test has any pending. */
const withServer = <T>(work: (admin: Target) => Promise<T>): Promise<T> => work(clusterAdmin())

async function folderOf(t: Test, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'leo-preflight-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const [name, source] of Object.entries(files)) await writeFile(join(folder, name), source)
  return folder
}

const first = migrations.find(({ version }) => version === baseline)!
const folder = await folderOf(t, { [fileName(first)]: first.source })
/** As if all up to the end of expand were applied, which `run()` does without saying so. */
const expandedFolder = await folderOf(
  t,
  Object.fromEntries(migrations.flatMap((one) => (one.version <= expanded ? [[fileName(one), one.source]] : []))),
)
async function expandQuickly(live: Live): Promise<void> {
  await run(live, baseline, expanded)
  const versions = migrations.flatMap(({ version }) => (version > baseline && version <= expanded ? [version] : []))
  await live.owner.query('insert into dbmate.schema_migrations select unnest($1::text[])', [versions])
}
const look = ({ target }: Pick<Live, 'target'>, options: PreflightOptions = {}): Promise<Report> =>
  preflight(target, { folder, withServer, ...options })

/** The cases that were found, as code → count. */
const counts = ({ data }: Report): Partial<Record<CaseCode, number>> =>
  Object.fromEntries(data.cases.filter(({ count }) => count > 0).map(({ code, count }) => [code, count]))

const caseOf = (report: Report, code: CaseCode) => report.data.cases.find((one) => one.code === code)

const codes = (findings: ReadonlyArray<{ code: string }>): string[] => findings.map(({ code }) => code)

const legacy = await createLegacy(t)

// --- Dirty data

t.test('a clean database is a go, and every case is told with a count of nothing', async (t) => {
  const live = await clone(t, legacy)
  await fillLegacyDatabase(live.owner, { seed: 1, users: 5, requests: 50, snapshots: 100, dirt: {} })
  const report = await look(live)
  t.strictSame(counts(report), {})
  t.strictSame(report.data.cases.map(({ code }) => code), caseCodes)
  const none = { length: 0 }
  t.match(report, { verdict: 'go', refusals: none, questions: none, data: { stage: 'before expand', contested: none } })
  t.equal(exitCode(report), 0)
})

t.test('what is foretold of generated data is what the backfill does', async (t) => {
  const live = await clone(t, legacy)
  const { owner } = live
  await fillLegacyDatabase(owner, { seed: 4, users: 8, requests: 400, snapshots: 900, dirt: allDirt(0.06) })
  const report = await look(live, { deep: true })
  t.equal(exitCode(report), 1)
  t.strictSame(codes(report.questions), ['app_contested', 'generating_stale'])
  const foretold = counts(report)

  await expandQuickly(live)
  const afterExpand = { deep: true, folder: expandedFolder }
  const expandedReport = await look(live, afterExpand)
  t.equal(expandedReport.data.stage, 'backfill pending')
  t.strictSame(counts(expandedReport), foretold, 'expanding changes none of it')

  await backfill(owner, { staleAfter: '1 day' })
  const left = counts(await look(live, afterExpand))
  const lost = ['app_contested', 'app_contested_requests', 'snapshot_request_lost', 'snapshot_iteration_repeated', 'snapshot_request_missing']
  t.strictSame(Object.keys(left).filter((code) => !code.startsWith('files_') && !lost.includes(code)), [])

  await contractQuickly(live)
  const tally = async (query: string) => Object.fromEntries((await owner.query<{ key: string; count: number }>(query)).rows.map(({ key, count }) => [key, count]))
  const quarantined = await tally(`select table_name || ': ' || reason as key, count(*)::int as count from private.quarantine group by 1`)
  t.strictSame(quarantined, {
    'generation_requests: user_id is null': foretold.user_id_missing,
    'generation_requests: user_id is not in auth.users': foretold.user_id_unknown,
    'generation_requests: several users claim app_id, and nobody has said whose it is': foretold.app_contested_requests,
    'iteration_snapshots: its generation does not exist': foretold.snapshot_request_missing,
    'iteration_snapshots: its generation is in quarantine': foretold.snapshot_request_lost,
    'iteration_snapshots: the same as an earlier snapshot': foretold.snapshot_identical,
  })
  const logged = await tally(`select table_name || '.' || column_name as key, count(distinct row_id)::int as count from private.migration_log group by 1`)
  t.match(logged, {
    'apps.app_name': foretold.app_name_taken,
    'generation_requests.app_id': foretold.app_id_missing,
    'generation_requests.app_name': foretold.app_name_blank,
    'generation_requests.status': foretold.generating_stale,
    'generation_requests.max_iterations': foretold.iteration_over_limit,
  })
})

t.test('each case is found where it is, and told by ids', async (t) => {
  const live = await clone(t, legacy)
  const { owner } = live
  const user_id = await signUp(owner)
  const expected: Partial<Record<CaseCode, string[]>> = {}
  const is = async (code: CaseCode, columns: Row, ...further: CaseCode[]): Promise<number> => {
    const id = await insertRequest(owner, { user_id, ...columns })
    for (const one of [code, ...further]) (expected[one] ??= []).push(`${id}`)
    return id
  }
  const secret = 'Secret name'
  await is('user_id_missing', { user_id: null, mode: null })
  await is('user_id_unknown', { user_id: randomUUID() })
  await is('app_id_missing', { app_id: null })
  for (const app_name of [null, '', ' \t\u00a0', '\u200b']) await is('app_name_blank', { app_name, app_id: '00000000-0000-4000-8000-000000000001' })
  await is('app_name_too_long', { app_name: 'x'.repeat(121) })
  await is('generating_stale', { status: 'generating', completed_at: null })
  await insertRequest(owner, { user_id, status: 'generating', completed_at: null, updated_at: new Date() })
  await is('status_missing', { status: null })
  for (const status of ['completed', 'failed', 'cancelled']) await is('completed_at_missing', { status, completed_at: null })
  await is('completed_at_unexpected', { status: 'paused' })
  await is('completed_before_created', { completed_at: '2025-03-01 09:00' })
  await is('iteration_over_limit', { current_iteration: 11 })
  for (const max_iterations of [null, 0, -1]) await is('max_iterations_invalid', { max_iterations })
  for (const current_iteration of [null, -1]) await is('current_iteration_invalid', { current_iteration })
  await is('generation_type_missing', { generation_type: null })
  await is('mode_missing', { mode: null })
  await is('prompt_missing', { prompt: null })
  await is('created_at_missing', { created_at: null })
  await is('updated_at_missing', { updated_at: null })
  await is('url_not_https', { github_url: ' HTTP://example.com/a' })
  await is('url_invalid', { deployment_url: 'ftp://example.com', github_url: 'https://example.com/a' })

  const app = { user_id, app_id: '00000000-0000-4000-8000-000000000002' }
  for (const app_name of [secret, `${secret} again`]) await insertRequest(owner, { ...app, app_name, created_at: '2025-02-01' })
  expected.app_names_several = [app.app_id]
  const younger = { user_id, app_id: '00000000-0000-4000-8000-000000000003', app_name: `${secret} again` }
  await insertRequest(owner, younger)
  expected.app_name_taken = [younger.app_id]
  const variants = ['Caf\u00e9', 'CAFE\u0301'].map((app_name, index) => ({ user_id, app_name, app_id: `00000000-0000-4000-8000-00000000001${index}` }))
  for (const columns of variants) await insertRequest(owner, columns)
  expected.app_name_variant = variants.map(({ app_id }) => app_id)
  const contested = '00000000-0000-4000-8000-000000000004'
  const claims: Array<{ user_id: string; requests: number }> = []
  for (const [requests, claimant] of [[2, user_id], [1, await signUp(owner)]] as const) {
    claims.push({ user_id: claimant, requests })
    for (let n = 0; n < requests; n++) await is('app_contested_requests', { user_id: claimant, app_id: contested })
  }
  expected.app_contested = [contested]

  const request = await insertRequest(owner, { user_id })
  const snapshots: Array<[CaseCode, number | null, Row]> = [
    ['snapshot_request_missing', 999_999, {}],
    ['snapshot_request_missing', null, {}],
    ['snapshot_request_lost', Number(expected.user_id_missing![0]), {}],
    ['snapshot_iteration_invalid', request, { iteration_number: -1 }],
    ['snapshot_iteration_invalid', request, { iteration_number: null }],
    ['snapshot_type_missing', request, { iteration_number: 3, snapshot_type: null }],
    ['snapshot_timestamp_missing', request, { iteration_number: 4, timestamp: null }],
    ['snapshot_metadata_no_object', request, { iteration_number: 5, metadata: '[1]' }],
    ['files_missing', request, { iteration_number: 6, files_snapshot: null }],
    ['files_no_object_of_strings', request, { iteration_number: 7, files_snapshot: 'no JSON' }],
    ['files_no_text', request, { iteration_number: 8, files_snapshot: '{"a":"\\u0000"}' }],
    ['files_duplicate_key', request, { iteration_number: 9, files_snapshot: '{"a":"1","a":"2"}' }],
    ['files_unsafe_path', request, { iteration_number: 10, files_snapshot: '{"../a":"1"}' }],
  ]
  await insertSnapshot(owner, request)
  for (const [code, of, columns] of snapshots) (expected[code] ??= []).push(`${await insertSnapshot(owner, of, columns)}`)
  expected.snapshot_identical = [`${await insertSnapshot(owner, request)}`]
  expected.snapshot_iteration_repeated = [`${await insertSnapshot(owner, request, { prompt_used: 'another' })}`]
  expected.files_too_large = [`${await insertSnapshot(owner, request, { iteration_number: 11, files_snapshot: ' '.repeat(16 * 1024 ** 2 + 1) })}`]

  const report = await look(live)
  t.strictSame(
    Object.fromEntries(report.data.cases.filter(({ count }) => count > 0).map(({ code, examples }) => [code, [...examples]])),
    Object.fromEntries(caseCodes.flatMap((code) => (expected[code] ? [[code, expected[code].slice(0, 5)]] : []))),
  )
  t.strictSame(
    Object.entries(counts(report)).filter(([code, count]) => count !== expected[code as CaseCode]?.length),
    [],
    'the counts are right',
  )
  const never: CaseCode[] = ['unknown_column', 'unknown_enum_value', 'zone_unknown', 'app_of_another_user']
  t.strictSame(caseCodes.filter((code) => caseOf(report, code)?.count === 0), never, 'every other case occurs here')
  t.strictSame(report.data.contested, [{ app_id: contested, claims }])
  for (const text of [JSON.stringify(report), inWords(report, false)]) t.notMatch(text, /Secret|list of books|example\.com/)
})

t.test('a request of another\'s app is told once the app is there', async (t) => {
  const live = await clone(t, legacy)
  const { owner } = live
  const app_id = randomUUID()
  await expandQuickly(live)
  await insertRequest(owner, { user_id: await signUp(owner), app_id })
  await backfill(owner)
  const id = await insertRequest(owner, { user_id: await signUp(owner), app_id })
  t.match(caseOf(await look(live, { folder: expandedFolder }), 'app_of_another_user'), { count: 1, examples: [`${id}`] })
})

// --- What refuses

t.test('what the schema does not name is refused', async (t) => {
  const live = await clone(t, legacy)
  await live.owner.query(`
    alter table public.generation_requests add column region text;
    alter type public.generation_mode add value 'turbo'`)
  const report = await look(live)
  t.strictSame(codes(report.refusals), ['unknown_column', 'unknown_enum_value'])
  t.strictSame(caseOf(report, 'unknown_column')?.examples, ['public.generation_requests.region'])
  t.strictSame(caseOf(report, 'unknown_enum_value')?.examples, ['public.generation_mode: turbo'])
  t.equal(exitCode(report), 2)
})

t.test('tables that are not adopted yet are compared, and nothing is recorded', async (t) => {
  const live = await clone(t, legacy)
  const { owner } = live
  await owner.query('drop schema dbmate cascade; create index mine on public.generation_requests (app_name)')
  const harmless = await look(live)
  t.match(harmless, { verdict: 'go', next: 'make adopt', adoption: { outcome: 'to adopt', differences: [{ isRefused: false }] } })
  await owner.query('create policy theirs on public.generation_requests using (true)')
  const refused = await look(live)
  t.match(refused, { verdict: 'refused', adoption: { outcome: 'refused' }, refusals: [{ code: 'adoption_refused' }] })
  await owner.query('alter table public.generation_requests rename column status to state')
  t.match(await look(live), { verdict: 'refused', data: { stage: 'not examined' } })
  t.strictSame(await column(owner, `select to_regnamespace('dbmate')::text`), [null])
})

t.test('naive times on a server of another zone wait for the operator', async (t) => {
  const live = await clone(t, legacy)
  const { owner, name } = live
  await owner.query(`alter database ${name} set timezone to 'Europe/Berlin'`)
  t.match(await look(live), { verdict: 'go' }, 'without rows there is nothing to ask')
  await insertRequest(owner, { user_id: await signUp(owner) })
  const asked = await look(live)
  t.match(asked, { verdict: 'refused', refusals: [{ code: 'zone_unknown', remedy: /make adopt time_zone=/ }] })
  t.equal(caseOf(asked, 'zone_unknown')?.count, 3)
  await owner.query(`
    create table dbmate.upgrade_answers (question text primary key, answer text);
    insert into dbmate.upgrade_answers values ('time_zone', 'Europe/Berlin')`)
  t.match(await look(live), { verdict: 'go', notes: [{ code: 'zone_rewrites', what: /public\.generation_requests/ }] })
})

t.test('a history that is not the folder\'s is refused', async (t) => {
  const live = await clone(t, legacy)
  await live.owner.query(`
    update dbmate.migration_checksums set checksum = 'another';
    insert into dbmate.schema_migrations values ('20990101000000')`)
  t.strictSame(codes((await look(live)).refusals), ['migrations_edited', 'migrations_missing'])
})

// --- Nobody is disturbed

t.test('it needs no right but to read, writes nothing and waits for no writer', async (t) => {
  const live = await clone(t, legacy)
  const { owner } = live
  await fillLegacyDatabase(owner, { seed: 2, users: 5, requests: 50, snapshots: 100, dirt: allDirt(0.1) })
  const wanted = await look(live)
  await withClient(clusterAdmin(live.name), (admin) =>
    admin.query(`
      grant select on all tables in schema public, auth, dbmate to service_role;
      grant usage on schema auth, dbmate to service_role`),
  )
  await owner.query('begin; lock table public.generation_requests, public.iteration_snapshots, dbmate.schema_migrations in exclusive mode')
  // Exclusive mode lets nothing pass but ACCESS SHARE; what may only read is told by the role.
  const reader = { ...live.target, pg: { ...live.target.pg, options: '-c role=service_role' } }
  const seen = await look({ target: reader })
  await owner.query('rollback')
  t.strictSame(seen.data, wanted.data)
  await t.rejects(readOnly(live.target, (client) => client.query('create table public.mine ()')), { cause: { code: '25006' } })
})

// --- The pending migrations

t.test('the migrations are measured on tables like the live ones', async (t) => {
  const live = await clone(t, legacy)
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
  t.strictSame(rebuilt, [{ name: 'public.mine', table: 'public.generation_requests' }], 'but an index of the live table is built anew')
  t.strictSame(locks('20261122110310'), [
    lock('public.apps', 'SHARE ROW EXCLUSIVE'),
    lock('public.generation_requests', 'SHARE ROW EXCLUSIVE'),
  ])
  t.strictSame(of('20261122110310', 'scans'), [])
  t.strictSame(locks('20261122110100'), [lock('public.generation_requests', 'SHARE UPDATE EXCLUSIVE')])
  t.strictSame(of('20261122110100', 'scans'), ['public.generation_requests'])
  t.strictSame(of('20261122110200', 'scans'), [], 'NOT NULL is proven by a check')
  t.match(effects('20261122104000').statements, [{ isConcurrent: true, indexes: [{ table: 'public.generation_requests' }] }])
  t.match(report.tables.find(({ table }) => table === 'public.iteration_snapshots'), { rows: 100 })
})

t.test('what a migration does is measured, statement by statement', async (t) => {
  const db = await createEmptyDatabase(t)
  await db.owner.query(`
    create table parent (id integer primary key);
    create table child (id integer, parent_id integer, note text);
    insert into parent select generate_series(1, 20);
    insert into child select n, n, 'x' from generate_series(1, 20) as n`)
  const measured = async (up: string, transaction = true): Promise<StatementEffect[]> => {
    const [migration] = await readMigrations(
      await folderOf(t, {
        '20300101000000_do_it.sql': `-- migrate:up${transaction ? '' : ' transaction:false'}\n${up}\n\n-- migrate:down\nselect 1;\n`,
      }),
    )
    return measureMigration(db.owner, migration!)
  }
  const nothing = { locks: [], rewrites: [], scans: [], indexes: [], writes: [], isConcurrent: false }
  const effect = (line: number, sql: string, what: Partial<StatementEffect>) => ({ line, sql, ...nothing, ...what })
  const child = 'public.child'
  const strongest = [{ table: child, mode: 'ACCESS EXCLUSIVE' }] as const

  const link = 'alter table child add constraint child_parent_id_fkey foreign key (parent_id) references parent (id)'
  t.strictSame(await measured(`set local lock_timeout = '3s';\n\n-- é: counted in bytes\n${link} not valid;`), [
    effect(2, "set local lock_timeout = '3s'", {}),
    effect(5, `${link} not valid`, {
      locks: [{ table: child, mode: 'SHARE ROW EXCLUSIVE' }, { table: 'public.parent', mode: 'SHARE ROW EXCLUSIVE' }],
    }),
  ])
  t.match(await measured('alter table child validate constraint child_parent_id_fkey;'), [
    { locks: [{ table: child, mode: 'SHARE UPDATE EXCLUSIVE' }, { table: 'public.parent', mode: 'ROW SHARE' }], scans: [child, 'public.parent'] },
  ])
  t.strictSame(await measured('alter table child alter column id type bigint;'), [
    effect(2, 'alter table child alter column id type bigint', { locks: strongest, rewrites: [child], scans: [child] }),
  ])
  t.strictSame(await measured('alter table child alter column id set not null;\nalter table child add column more text;'), [
    effect(2, 'alter table child alter column id set not null', { locks: strongest, scans: [child] }),
    effect(3, 'alter table child add column more text', {}),
  ])
  t.match(await measured(`do $$ begin execute 'alter table child add column hidden integer default random()'; end $$;`), [
    { locks: strongest, rewrites: [child] },
  ])
  t.match(await measured('do $$ begin if exists (select from child) then update child set note = note where id = 1; end if; end $$;'), [
    { locks: [{ table: child, mode: 'ROW EXCLUSIVE' }], rewrites: { length: 0 }, writes: [child] },
  ])
  t.strictSame(await measured('do $$ begin perform from child limit 1; end $$;'), [
    effect(2, 'do $$ begin perform from child limit 1; end $$', { locks: [{ table: child, mode: 'ACCESS SHARE' }] }),
  ])
  t.strictSame(await measured('create table mine (id integer);\nalter table mine alter column id type bigint;'), [
    effect(2, 'create table mine (id integer)', {}),
    effect(3, 'alter table mine alter column id type bigint', {}),
  ])
  t.match(await measured('create index concurrently child_note_idx on child (note);', false), [
    { isConcurrent: true, locks: [{ table: child, mode: 'SHARE UPDATE EXCLUSIVE' }], indexes: [{ name: 'public.child_note_idx', table: child }] },
  ])
  t.match(await measured('drop index concurrently if exists child_note_idx;', false), [
    { isConcurrent: true, locks: [{ table: child, mode: 'SHARE UPDATE EXCLUSIVE' }], indexes: { length: 0 } },
  ])
  await t.rejects(measured('create table gone ();\nalter table absent add column id integer;'), { name: 'Failure', message: /:3: .*42P01/ })
  t.strictSame(await column(db.owner, `select to_regclass('gone')::text`), [null])
})

t.test('a pending migration that would fail is refused', async (t) => {
  const live = await clone(t, legacy)
  const broken = await folderOf(t, {
    [fileName(first)]: first.source,
    '20300101000000_break_it.sql': '-- migrate:up\nalter table public.absent add column id integer;\n\n-- migrate:down\nselect 1;\n',
  })
  t.match(await look(live, { folder: broken }), { verdict: 'refused', refusals: [{ code: 'migration_fails', what: /42P01/ }] })
})

t.test('times are told roughly', (t) => {
  t.equal(roughly([0, 0.9]), 'under a second')
  t.equal(roughly([0.2, 4.4]), 'up to about 4 s')
  t.equal(roughly([3.1, 7.2]), 'about 3 to 7 s')
  t.equal(roughly([340, 880]), 'about 6 to 10 min')
  t.end()
})

// --- Files

const files: ReadonlyArray<[text: string, ...problems: FilesProblem[]]> = [
  ['{}'],
  [' { "a" : "1" , "b/c.txt" : "\\n\\ud83d\\ude00" } '],
  ['{"a..b":"x",".env":"x","src/..hidden":"x"}'],
  ['{"a":"\\\\u0000"}'],
  ...['', ' ', 'null', '[]', '"a"', '{', '{"a"', '{"a":', '{"a":"1"', '{"a":"1",}', '{"a":"1"} x', '{a:"1"}', "{'a':'1'}", '{"a":"\n"}', '{"a":"\\x"}', '{"a":"\\u12"}', '{"a":"1" "b":"2"}'].map(
    (text) => [text, 'files_no_object_of_strings'] as [string, FilesProblem],
  ),
  ['{"a":1,"b":{"c":["}"]},"../d":null}', 'files_no_object_of_strings', 'files_unsafe_path'],
  ['{"a":"\\u0000"}', 'files_no_text'],
  ['{"a\\u0000":"1"}', 'files_no_text'],
  ['{"a":"\\ud83d"}', 'files_no_text'],
  ['{"a":"\\ude00\\ud83d"}', 'files_no_text'],
  ['{"a":"1","\\u0061":"2"}', 'files_duplicate_key'],
  ...['..', '../a', 'a/../b', 'a/..', '/a', 'a\\\\b', 'C:/a', 'c:a'].map((path) => [`{"${path}":"1"}`, 'files_unsafe_path'] as [string, FilesProblem]),
]

t.test('the oddities of files are told for any text', (t) => {
  for (const [text, ...problems] of files) t.strictSame([...problemsOf(text)], problems, text)
  const deep = '['.repeat(2_000_000)
  t.strictSame([...problemsOf(`{"a":${deep}`)], ['files_no_object_of_strings'])
  t.strictSame([...problemsOf(`{"a":"${'x\\n'.repeat(1_000_000)}"}`)], [])
  t.end()
})

t.test('what is blank is what the backfill calls blank', (t) => {
  const naming = migrations.find(({ name }) => name === 'create_app_naming')!
  t.ok(naming.up.includes(`'${visible}'`))
  t.end()
})

// --- As a command

t.test('the command prints its report, and never takes a failure for a question', async (t) => {
  const db = await createMigratedDatabase(t)
  const [machine, nobody] = await Promise.all([
    runScript(db, 'preflight', ['--json']),
    runScript(db, 'preflight', ['--json'], { DATABASE_URL: 'postgres://postgres@127.0.0.1:1/none' }),
  ])
  t.equal(machine.code, 0)
  const report = JSON.parse(machine.stdout) as Report
  t.match(report, { format: 1, verdict: 'go', migrations: { length: 0 }, data: { stage: 'nothing to do' } })
  t.match(inWords(report, false), /go \(/)
  t.match(nobody, { code: 2, stdout: /^$/ })
})
