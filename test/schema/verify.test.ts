import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import t from 'tap'
import { adopt } from '../../scripts/upgrade/adopt/adopt.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { readAdopted } from '../../scripts/upgrade/adopted.ts'
import type { VerifyFinding } from '../../scripts/schema/verify/finding.ts'
import { examineSchema } from '../../scripts/schema/verify/schema.ts'
import { verify } from '../../scripts/schema/verify/verify.ts'
import { createEmptyDatabase, createMigratedDatabase, type DatabaseFixture } from '../fixtures/database.ts'
import { later, live, mutations, powers } from './fixtures/drift.ts'
import { baseline, expanded, confirmLegacyWritersStopped, migrations, runMigrations } from '../upgrade/fixtures/legacy.ts'
import { clusterAdmin } from '../fixtures/server.ts'

/** `code object` of each finding, as a set would have them. */
const list = (findings: readonly VerifyFinding[], isKnown: boolean): string[] =>
  findings.filter((one) => one.isKnown === isKnown).map(({ code, object }) => `${code} ${object}`).sort()

async function command({ target }: DatabaseFixture) {
  const env = { ...process.env, DATABASE_URL: target.dbmateUrl }
  const script = [fromRoot('build', 'scripts', 'leo.js'), 'verify', '--json']
  const ended: unknown = await promisify(execFile)(process.execPath, script, { env }).catch((error: unknown) => error)
  const { code = 0, stdout } = ended as { code?: number; stdout: string }
  const { is_right, findings } = JSON.parse(stdout) as { is_right: boolean; findings: VerifyFinding[] }
  return { code, is_right, findings }
}

/** Of databases whose migrations ran without being recorded. */
const examine = ({ target }: DatabaseFixture): Promise<readonly VerifyFinding[]> =>
  withClient(target, async (client) => (await examineSchema(client, target, { readAccepted: readAdopted })).findings)

const mutated = [
  'check_differs public.generation_requests constraint generation_requests_max_iterations_positive_check',
  'check_extra public.apps constraint apps_app_name_short_check',
  'check_missing public.apps constraint apps_app_name_not_blank_check',
  'check_missing public.generation_requests constraint generation_requests_github_commit_is_sha_check',
  'check_missing public.sealed_secret constraint sealed_secret_form_check',
  'column_differs public.apps.created_at default',
  'column_differs public.apps.created_at not null',
  'column_differs public.deployment_config.value storage',
  'column_differs public.deployment_config.value type',
  'column_differs public.generation_requests.max_iterations default',
  'column_extra public.apps.Region',
  'column_missing public.generation_requests.github_commit',
  'comment_differs comment on table public.apps',
  'comment_missing comment on column public.apps.user_id',
  'comment_missing comment on index public.generation_requests_user_id_idempotency_key_key',
  'constraint_missing private.generation_leases constraint generation_leases_pkey',
  'constraint_not_validated public.apps apps_app_name_short_check',
  'fk_constraint_differs public.user_secrets constraint user_secrets_user_id_fkey',
  'fk_constraint_extra public.votes constraint votes_app_id_fkey',
  'function_differs private.https_url(text)',
  'function_differs private.tg__touch_updated_at()',
  'function_differs private.user_lock_key(uuid)',
  'function_extra private.stranger()',
  'index_differs public.generation_requests_user_id_idempotency_key_key',
  'index_extra public."Another"',
  'index_invalid public.apps_user_id_id_key',
  'index_missing public.apps_user_id_created_at_id_idx',
  'owner_differs private.name_apps(uuid[])',
  'owner_differs public.snapshot_type',
  'policy_differs public.apps policy select_own',
  'policy_differs public.generation_requests policy update_own',
  'policy_extra public.iteration_snapshots policy everybody',
  'policy_missing public.user_secrets policy delete_own',
  'privilege_extra DEFAULT IN SCHEMA public ON TABLES anon',
  'privilege_extra FUNCTION private.tg__refuse_change() PUBLIC',
  'privilege_extra TABLE public.apps authenticated',
  'privilege_extra TABLE public.apps test_api',
  'privilege_extra TABLE public.user_secrets anon',
  'privilege_extra TABLE public.user_secrets authenticated',
  'privilege_missing SCHEMA private leo_worker',
  'privilege_missing TABLE public.generation_requests authenticated',
  'publication_extra public.apps in publication elsewhere',
  'row_security_extra private.generation_leases row security',
  'row_security_not_forced public.user_secrets',
  'row_security_off public.apps',
  'rule_extra public.user_secrets rule stranger',
  'sequence_differs public.generation_requests_id_seq details',
  'statistics_extra public.apps_statistics',
  'table_differs public.deployment_config options',
  'table_differs public.deployment_config replica identity',
  'trigger_disabled public.generation_requests _100_enqueue',
  'trigger_extra public.apps trigger stranger',
  'trigger_missing public.user_secrets trigger _100_touch_updated_at',
  'type_differs public.generation_mode',
  'view_leaks public.all_apps',
]

/** By SQL of one line; the others need a person. */
const mendable =
  /^(comment|constraint_(missing|not)|index_(invalid|missing)|owner|policy|privilege|row_security_[no]|rule|trigger|view)/

const strangers = [
  'object_unknown public.all_apps',
  'object_unknown public.votes',
  'object_unknown publication elsewhere',
]

const adopted = [
  'column_differs public.generation_requests.app_id default',
  'column_differs public.generation_requests.app_name type',
  'column_differs public.generation_requests.github_url type',
  'column_differs public.generation_requests.prompt collation',
  'column_differs public.iteration_snapshots.files_snapshot storage',
  'column_differs public.iteration_snapshots.id default',
  'column_differs public.iteration_snapshots.metadata default',
  'column_extra public.generation_requests.Region',
  'constraint_extra public.generation_requests constraint PK_requests',
  'constraint_missing public.generation_requests constraint generation_requests_pkey',
  'fk_constraint_extra public.generation_requests constraint FK_user',
  'index_extra public."IDX_created"',
  'index_extra public."IDX_id"',
  'object_unknown public.users_with_requests',
  'object_unknown publication realtime',
  'privilege_extra TABLE public.generation_requests supabase_auth_admin',
  'privilege_extra TYPE public.snapshot_type anon',
  'publication_extra public.generation_requests in publication realtime',
  'sequence_differs public.generation_requests_id_seq details',
  'statistics_extra public.request_statistics',
  'table_differs public.iteration_snapshots options',
  'table_differs public.iteration_snapshots replica identity',
]

const changed = [
  'check_differs public.generation_requests constraint generation_requests_github_url_is_https_check',
  'column_differs public.generation_requests.app_id default',
  'column_differs public.generation_requests.initial_prompt type',
  'column_differs public.generation_requests.max_iterations default',
  'column_differs public.generation_requests.prompt not null',
  'column_extra public.iteration_snapshots.later',
  'index_extra public."IDX_created"',
  'index_extra public."IDX_later"',
  'privilege_extra TABLE public.generation_requests supabase_auth_admin',
  'privilege_extra TABLE public.iteration_snapshots anon',
  'table_differs public.iteration_snapshots replica identity',
]

// First of all: a process keeps the schema of the migrations once it has read it.
t.test('without an embedded server the schema is not compared, and one line says so', async (t) => {
  const db = await createMigratedDatabase(t)
  const withServer = () => Promise.reject(new Failure('the embedded PostgreSQL is missing', 'run `npm ci`'))
  t.strictSame(await verify(db.target, { withServer }), [{
    code: 'schema_unread',
    object: db.target.label,
    what: 'the embedded PostgreSQL is missing',
    remedy: 'run `npm ci`',
    isKnown: false,
  }])
})

t.test('a migrated database', async (t) => {
  const db = await createMigratedDatabase(t)
  t.strictSame(await command(db), { code: 0, is_right: true, findings: [] }, 'is what schema.sql says')

  await db.owner.query(mutations)
  await withClient(clusterAdmin(db.name), (admin) => admin.query(powers))
  const findings = await verify(db.target)
  t.strictSame(list(findings, false), mutated, 'with each thing that was changed, one line an object')
  t.strictSame(list(findings, true), strangers, 'and strangers beside it')
  const widened = findings.find(({ object }) => object === 'public.apps policy select_own')?.what
  t.match(widened, /USING \(\(user_id = .*USING \(true\)$/, 'in the clause that differs')

  for (const { remedy = '' } of findings) if (remedy.endsWith(';')) await db.owner.query(remedy)
  const left = mutated.filter((one) => !mendable.test(one))
  const uncovered = 'comment_missing comment on index public.apps_user_id_created_at_id_idx'
  t.strictSame(list(await verify(db.target), false), [...left, uncovered].sort(), 'and its SQL mends it')
})

t.test('a database that was adopted', async (t) => {
  const db = await createEmptyDatabase(t, 'until_2026')
  await db.owner.query(live)
  t.equal((await adopt(db.target)).outcome, 'adopted')

  const early = await command(db)
  t.match(early, { code: 1, is_right: false, findings: [{ code: 'migration_pending', object: '20261122100100' }] })
  t.ok(early.findings.every(({ code }) => code === 'migration_pending'), 'is not compared before it is migrated')

  await runMigrations(db, baseline, expanded)
  await confirmLegacyWritersStopped(db)
  await runMigrations(db, expanded, migrations.at(-1)!.version)
  const findings = await examine(db)
  t.strictSame(list(findings, false), [], 'is what schema.sql says')
  t.strictSame(list(findings, true), adopted, 'but for what was accepted')

  await db.owner.query(later)
  t.strictSame(list(await examine(db), false), changed, 'and what changed since is no part of that')
})
