import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createTestDatabase } from './fixtures/database.ts'
import { outcomeOf, rolledBack } from './fixtures/probe.ts'
import {
  insertCost, insertProject, insertRequest, insertRow, insertSchemaSnapshot, insertSecret, insertTenant, sealed,
} from './fixtures/rows.ts'
import type { Row } from './fixtures/rows.ts'

const db = await createTestDatabase(t)
const own = await insertTenant(db)
const other = await insertTenant(db)
const idleRequestId = await insertRequest(db.owner, own.userId, own.appId, { idempotency_key: 'taken' })
await db.owner.query(`update apps set app_name = 'Taken' where id = $1`, [own.appId])
await db.owner.query(`insert into deployment_config (key, value) values ('taken', 'x')`)

await db.owner.query(`insert into private.upgrade_progress (phase) values ('taken')`)
await db.owner.query(`insert into private.upgrade_samples (row_id, digest) values (1, 'x')`)
await db.owner.query(`
  insert into private.upgrade_changes (id, table_name, row_id, change, row_count, fingerprint) values (1, 'apps', 1, 'deleted', 0, 0)`)
const newcomer = await db.signUp()
const usedRef = await insertProject(db.owner)
const idleRef = await insertProject(db.owner)
await db.owner.query(`update supabase_projects set used = 1 where ref = $1`, [usedRef])
const leftAppId = randomUUID()
await insertRow(db.owner, 'supabase_project_places', { app_id: leftAppId, supabase_project_ref: usedRef })
await insertRow(db.owner, 'cleanup_outbox', { id: 1_000, kind: 'fly_app', target: 'https://a.fly.dev' })
const schemaSnapshotId = await insertSchemaSnapshot(db.owner, own.userId, idleRequestId, { iteration_number: 7 })
const costId = await insertCost(db.owner, own.userId, { idempotency_key: 'taken' })
const hash = Buffer.alloc(32)
await insertSecret(db.owner, own.userId, 'bitbucket')

/** A row of each table that breaks nothing; the rules below change it. */
const good = {
  'public.apps': { id: randomUUID(), user_id: own.userId, app_name: 'New' },
  'public.generation_requests': {
    ...{ id: 1_000_000, user_id: own.userId, app_id: own.appId, app_name: 'Taken' },
    ...{ prompt: 'a list of books', mode: 'autonomous', max_iterations: 10 },
  },
  'public.iteration_snapshots': {
    ...{ id: 1_000_000, user_id: own.userId, generation_request_id: own.requestId },
    ...{ iteration_number: 1, snapshot_type: 'manual' },
  },
  'public.deployment_config': { key: 'new', value: 'x' },
  'public.user_secrets': { id: randomUUID(), user_id: own.userId, provider: 'fly', encrypted_token: sealed() },
  'private.generation_leases': {
    ...{ user_id: own.userId, generation_request_id: idleRequestId },
    ...{ attempt: 1, worker: 'w', expires_at: 'now' },
  },
  'private.secret_refreshes': { user_id: own.userId, provider: 'bitbucket' },
  'private.queues': { name: 'new' },
  'private.migration_log': {
    ...{ id: 1_000_000, table_name: 'apps', row_id: 1, user_id: own.userId, column_name: 'prompt' },
    ...{ reason: 'a test', logged_at: 'now' },
  },
  'private.quarantine': {
    ...{ id: 1_000_000, table_name: 'apps', row_id: 1, user_id: own.userId },
    ...{ reason: 'a test', content: {}, quarantined_at: 'now' },
  },
  'private.upgrade_users': { user_id: newcomer, named_at: 'now' },
  'private.upgrade_owners': { app_id: randomUUID(), user_id: own.userId },
  'private.upgrade_progress': { phase: 'new', done: 0, passed_over: 0, is_finished: false },
  'private.upgrade_counts': { table_name: 'new', last_id: 0, fingerprint_of: '0' },
  'private.upgrade_changes': {
    ...{ id: 1_000_000, table_name: 'generation_requests', row_id: 1 },
    ...{ change: 'deleted', row_count: -1, fingerprint: 0, changed_at: 'now' },
  },
  'private.upgrade_samples': { row_id: 1_000_000, digest: 'x' },
  'private.error_codes': { code: 'LEO99', name: 'new', meaning: 'x' },
  'public.supabase_projects': { ref: 'a'.repeat(20), pool: 'p', region: 'r', capacity: 2, used: 1 },
  'public.supabase_project_places': { app_id: randomUUID(), supabase_project_ref: idleRef },
  'public.cleanup_outbox': { id: 1_000_000, kind: 'fly_app', target: 'https://b.fly.dev', context: {} },
  'public.schema_snapshots': {
    ...{ id: 1_000_000, user_id: own.userId, generation_request_id: own.requestId },
    ...{ iteration_number: 2, tables: {}, ddl: '', created_at: 'now' },
  },
  'public.generation_costs': {
    ...{ id: 1_000_000, user_id: own.userId, generation_request_id: own.requestId, kind: 'tokens' },
    ...{ input_tokens: 0, output_tokens: 0, cached_tokens: 0, compute_ms: 0, cost_micros: 0 },
    ...{ idempotency_key: 'new', created_at: '2026-01-01T00:00:00Z' },
  },
  'public.user_profiles': { user_id: newcomer, preferences: {}, created_at: 'now', updated_at: 'now' },
  'public.user_activity_log': {
    ...{ id: 1_000_000, user_id: own.userId, action: 'create', object_type: 'app', object_id: own.appId },
    ...{ detail: {}, created_at: 'now' },
  },
  'public.generation_events': {
    ...{ id: 1_000_000, user_id: own.userId, generation_request_id: own.requestId, to_status: 'queued' },
    ...{ iteration_number: 0, actor: 'system', created_at: 'now' },
  },
  'public.deployment_config_history': {
    ...{ id: 1_000_000, key: 'new', action: 'update', actor_role: 'postgres', changed_at: 'now', previous_hash: hash, hash },
    ...{ old_encrypted: false, old_value: 'x', old_salt: 'x', old_digest: hash },
    ...{ new_encrypted: true, new_key_id: 'k', new_salt: 'x', new_digest: hash },
  },
  'private.audit_heads': { table_name: 'new', hash },
} satisfies Record<string, Row>
type Table = keyof typeof good
const tables = Object.keys(good) as Table[]

// Triggers would mend or refuse some of these rows before the constraint sees them. Here each constraint stands alone.
for (const table of tables) await db.owner.query(`alter table ${table} disable trigger user`)

/** Changes to the good row that break the constraint, and near misses that do not. */
interface Rule {
  readonly breaks: readonly Row[]
  readonly holds: readonly Row[]
  /** A constraint that would speak up first; taken away to hear this one. */
  readonly behind?: string
}

const of = (column: string, ...values: unknown[]): Row[] => values.map((value) => ({ [column]: value }))
const noSide = (side: 'old' | 'new'): Row =>
  Object.fromEntries(['value', 'encrypted', 'key_id', 'salt', 'digest'].map((column) => [`${side}_${column}`, null]))
const a = (length: number): string => 'a'.repeat(length)
const nobodysId = 999_999
const MiB = 2 ** 20
const tableOfSize = (bytes: number): string => `{"${a(bytes - '{"": {"columns": []}}'.length)}": {"columns": []}}`
const numbers = ['input_tokens', 'output_tokens', 'cached_tokens', 'compute_ms', 'cost_micros']
/** An object whose innermost value is this many levels below it. */
const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) })

const blanks = ['', ' ', '\t', '\n', '\u00a0', '\u200b', '\u200d', '\ufeff', '\u2003', '\u3000', '\u3164', ' \u200b\t']
const visible = (column: string): Rule => ({
  breaks: of(column, ...blanks),
  holds: of(column, 'a', ' a ', '0', '书', '😀', '\u200ba'),
})
const names = visible('app_name')
const urls = (column: string): Rule => ({
  breaks: of(column, '', 'http://a.com', 'https://', 'https://a b', ' https://a', 'javascript:alert(1)', 'https://a\n'),
  holds: of(column, 'https://github.com/a/b?c=d#e', 'https://a', null),
})
const slugs = (column: string): Rule => ({
  breaks: of(column, '', 'GitHub', '1a', 'a-', 'a--b', 'a b', 'é', 'a\n', a(65)),
  holds: of(column, 'a', 'git-hub2', a(64)),
})
const unfinished = ['queued', 'generating', 'paused']
const finished = ['completed', 'failed', 'cancelled']

const rules: Readonly<Record<Table, Readonly<Record<string, Rule>>>> = {
  'public.apps': {
    apps_pkey: { breaks: of('id', own.appId, other.appId), holds: of('id', randomUUID()) },
    apps_user_id_app_name_key: {
      breaks: of('app_name', 'Taken'),
      holds: [{ app_name: 'taken' }, { app_name: 'Taken', user_id: other.userId }],
    },
    apps_user_id_id_key: { breaks: of('id', own.appId), holds: of('id', other.appId), behind: 'apps_pkey' },
    apps_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', other.userId) },
    apps_app_name_not_blank_check: names,
    apps_app_name_at_most_120_characters_check: {
      breaks: of('app_name', a(121), '😀'.repeat(121)),
      holds: of('app_name', a(120), '😀'.repeat(120)),
    },
    apps_supabase_project_ref_id_fkey: {
      breaks: [...of('supabase_project_ref', usedRef, a(20)), { id: leftAppId, supabase_project_ref: idleRef }],
      holds: [{ id: leftAppId, supabase_project_ref: usedRef }, { id: leftAppId, supabase_project_ref: null }],
    },
  },
  'public.generation_requests': {
    generation_requests_pkey: { breaks: of('id', own.requestId, other.requestId), holds: of('id', 1_000_001) },
    generation_requests_user_id_id_key: {
      breaks: of('id', own.requestId),
      holds: of('id', 1_000_001, other.requestId),
      behind: 'generation_requests_pkey',
    },
    generation_requests_user_id_app_id_fkey: {
      breaks: [{ app_id: other.appId }, { app_id: randomUUID() }, { user_id: other.userId }],
      holds: [{ user_id: other.userId, app_id: other.appId }],
    },
    generation_requests_user_id_idempotency_key_key: {
      breaks: of('idempotency_key', 'taken'),
      holds: [{ idempotency_key: 'free' }, { idempotency_key: 'taken', user_id: other.userId, app_id: other.appId }],
    },
    generation_requests_app_name_not_blank_check: names,
    generation_requests_max_iterations_positive_check: {
      breaks: of('max_iterations', 0, -1),
      holds: of('max_iterations', 1, 2_147_483_647),
      behind: 'generation_requests_current_iteration_within_limit_check',
    },
    generation_requests_current_iteration_within_limit_check: {
      breaks: of('current_iteration', -1, 11),
      holds: of('current_iteration', 0, 10),
    },
    generation_requests_completed_at_set_when_finished_check: {
      breaks: [
        ...unfinished.map((status) => ({ status, completed_at: 'infinity' })),
        ...finished.map((status) => ({ status, completed_at: null })),
      ],
      holds: [
        ...unfinished.map((status) => ({ status, completed_at: null })),
        ...finished.map((status) => ({ status, completed_at: 'infinity' })),
      ],
    },
    generation_requests_completed_at_not_before_created_at_check: {
      breaks: [{ status: 'completed', created_at: '2026-01-01T00:00:00.001Z', completed_at: '2026-01-01T00:00:00Z' }],
      holds: [{ status: 'completed', created_at: '2026-01-01T00:00:00Z', completed_at: '2026-01-01T00:00:00Z' }],
    },
    generation_requests_github_url_is_https_check: urls('github_url'),
    generation_requests_deployment_url_is_https_check: urls('deployment_url'),
    generation_requests_github_commit_is_sha_check: {
      breaks: of('github_commit', '', a(39), a(41), a(65), 'A'.repeat(40), 'g'.repeat(40), `${a(39)}\n`),
      holds: of('github_commit', '0123456789abcdef0123456789abcdef01234567', a(64), null),
    },
    generation_requests_attempt_not_negative_check: { breaks: of('attempt', -1), holds: of('attempt', 0) },
    generation_requests_failure_count_not_negative_check: { breaks: of('failure_count', -1), holds: of('failure_count', 0) },
    generation_requests_retry_count_not_negative_check: { breaks: of('retry_count', -1), holds: of('retry_count', 0) },
    generation_requests_idempotency_key_form_check: {
      breaks: of('idempotency_key', '', 'a b', 'é', 'a\n', a(201)),
      holds: of('idempotency_key', 'a', '!~', a(200), null),
    },
  },
  'public.iteration_snapshots': {
    iteration_snapshots_pkey: { breaks: of('id', own.snapshotId, other.snapshotId), holds: of('id', 1_000_001) },
    iteration_snapshots_user_id_generation_request_id_fkey: {
      breaks: [...of('generation_request_id', other.requestId, nobodysId), { user_id: other.userId }],
      holds: [{ user_id: other.userId, generation_request_id: other.requestId }],
    },
    iteration_snapshots_iteration_number_not_negative_check: {
      breaks: of('iteration_number', -1),
      holds: of('iteration_number', 0),
    },
    iteration_snapshots_metadata_is_object_check: {
      breaks: of('metadata', '[]', '"x"', '1', 'null'),
      holds: of('metadata', '{}', '{"tokens":1}', null),
    },
  },
  'public.deployment_config': {
    deployment_config_pkey: { breaks: of('key', 'taken'), holds: of('key', 'Taken') },
    deployment_config_key_form_check: {
      breaks: of('key', '', '1a', 'a b', '.a', 'é', 'a\n', a(129)),
      holds: of('key', 'a', 'FLY_API.token-2', a(128)),
    },
    deployment_config_encrypted_says_form_check: {
      breaks: of('value', sealed(), 'leo1.'),
      holds: [{ value: sealed(), encrypted: true }, { value: 'leo1' }, { value: '' }],
    },
  },
  'public.user_secrets': {
    user_secrets_pkey: { breaks: of('id', own.secretId, other.secretId), holds: of('id', randomUUID()) },
    user_secrets_user_id_provider_key: {
      breaks: of('provider', 'github'),
      holds: [{ provider: 'gitlab' }, { user_id: other.userId }],
    },
    user_secrets_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', other.userId) },
    user_secrets_provider_is_slug_check: slugs('provider'),
    // The domain's: it has no table of its own.
    sealed_secret_form_check: {
      breaks: of('encrypted_token', '', 'gho_plain', 'leo1.no.k.w.c', 'leo1.kms.k.w', ` ${sealed()}`, `${sealed()}\n`),
      holds: of('encrypted_token', sealed(), 'leo1.kms.arn:aws:kms:eu-west-1:1:key/2-3.w_-.c'),
    },
  },
  'private.generation_leases': {
    generation_leases_pkey: {
      breaks: of('generation_request_id', own.requestId),
      holds: of('generation_request_id', idleRequestId),
    },
    generation_leases_user_id_generation_request_id_fkey: {
      breaks: [...of('generation_request_id', other.requestId, nobodysId), { user_id: other.userId }],
      holds: of('generation_request_id', idleRequestId),
    },
    generation_leases_attempt_positive_check: { breaks: of('attempt', 0, -1), holds: of('attempt', 1) },
    generation_leases_worker_printable_check: {
      breaks: of('worker', '', ' ', 'a b', '\u00a0', 'a\n'),
      holds: of('worker', 'host-1:42'),
    },
  },
  'private.secret_refreshes': {
    secret_refreshes_pkey: { breaks: of('provider', 'github'), holds: of('provider', 'bitbucket') },
    secret_refreshes_user_id_provider_fkey: {
      breaks: [{ provider: 'supabase' }, { user_id: other.userId }],
      holds: of('provider', 'bitbucket'),
    },
    secret_refreshes_holder_until_an_end_check: {
      breaks: [{ holder: randomUUID() }, { expires_at: 'now' }],
      holds: [{ holder: randomUUID(), expires_at: 'now' }],
    },
    secret_refreshes_rejected_digest_is_sha256_check: {
      breaks: of('rejected_digest', Buffer.alloc(0), Buffer.alloc(31), Buffer.alloc(33)),
      holds: of('rejected_digest', hash),
    },
  },
  'private.queues': {
    queues_pkey: { breaks: of('name', 'generations'), holds: of('name', 'another') },
    queues_paused_by_somebody_check: {
      breaks: [{ paused_at: 'now' }, { paused_by: 'ops' }],
      holds: [{ paused_at: 'now', paused_by: 'ops' }],
    },
    queues_reason_only_while_paused_check: {
      breaks: of('reason', 'upgrade'),
      holds: [{ paused_at: 'now', paused_by: 'ops', reason: 'upgrade' }],
    },
  },
  'private.migration_log': {
    migration_log_pkey: { breaks: of('id', 1), holds: of('id', 1_000_001) },
    migration_log_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', other.userId, null) },
  },
  'private.quarantine': {
    quarantine_pkey: { breaks: of('id', 1), holds: of('id', 1_000_001) },
    quarantine_table_name_row_id_key: {
      breaks: [{ table_name: 'generation_requests', row_id: own.requestId }],
      holds: [{ table_name: 'generation_requests', row_id: nobodysId }],
    },
    quarantine_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', other.userId, null) },
  },
  'private.upgrade_users': {
    upgrade_users_pkey: { breaks: of('user_id', own.userId), holds: of('user_id', newcomer) },
    upgrade_users_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', newcomer) },
  },
  'private.upgrade_owners': {
    upgrade_owners_pkey: { breaks: of('app_id', own.appId), holds: of('app_id', randomUUID()) },
    upgrade_owners_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', other.userId, null) },
  },
  'private.upgrade_progress': {
    upgrade_progress_pkey: { breaks: of('phase', 'taken'), holds: of('phase', 'free') },
  },
  'private.upgrade_counts': {
    upgrade_counts_pkey: { breaks: of('table_name', 'generation_requests'), holds: of('table_name', 'apps') },
  },
  'private.upgrade_changes': { upgrade_changes_pkey: { breaks: of('id', 1), holds: of('id', 1_000_001) } },
  'private.upgrade_samples': { upgrade_samples_pkey: { breaks: of('row_id', 1), holds: of('row_id', 2) } },
  'private.error_codes': {
    error_codes_pkey: { breaks: of('code', 'LEO01'), holds: of('code', 'LEO98') },
    error_codes_name_key: { breaks: of('name', 'queue_full'), holds: of('name', 'queue_empty') },
    error_codes_code_form_check: {
      breaks: of('code', 'LEO1', 'leo99', 'LEO999', 'XX000', 'LEO99\n'),
      holds: of('code', 'LEO98'),
    },
  },
  'public.supabase_projects': {
    supabase_projects_pkey: { breaks: of('ref', usedRef), holds: of('ref', 'b'.repeat(20)) },
    supabase_projects_ref_form_check: {
      breaks: of('ref', '', a(19), a(21), 'A'.repeat(20), '1'.repeat(20), `${a(19)}\n`, `${a(19)}é`),
      holds: of('ref', 'abcdefghijklmnopqrst'),
    },
    supabase_projects_pool_is_slug_check: slugs('pool'),
    supabase_projects_region_is_slug_check: slugs('region'),
    supabase_projects_capacity_positive_check: {
      breaks: of('capacity', 0, -1),
      holds: of('capacity', 1, 2_147_483_647),
      behind: 'supabase_projects_used_within_capacity_check',
    },
    supabase_projects_used_not_negative_check: { breaks: of('used', -1), holds: of('used', 0) },
    supabase_projects_used_within_capacity_check: { breaks: of('used', 3), holds: of('used', 0, 2) },
    supabase_projects_retired_is_empty_check: {
      breaks: of('status', 'retired'),
      holds: [{ status: 'retired', used: 0 }, { status: 'draining' }, { status: 'active' }],
    },
  },
  'public.supabase_project_places': {
    supabase_project_places_pkey: { breaks: of('app_id', leftAppId), holds: of('app_id', randomUUID(), own.userId) },
    supabase_project_places_supabase_project_ref_app_id_key: {
      breaks: [{ app_id: leftAppId, supabase_project_ref: usedRef }],
      holds: [{ app_id: leftAppId }, { supabase_project_ref: usedRef }],
      behind: 'supabase_project_places_pkey',
    },
    supabase_project_places_supabase_project_ref_fkey: {
      breaks: of('supabase_project_ref', a(20), 'nowhere'),
      holds: of('supabase_project_ref', usedRef),
    },
    supabase_project_places_releasing_since_says_status_check: {
      breaks: [{ releasing_since: 'now' }, { status: 'releasing' }],
      holds: [{ status: 'releasing', releasing_since: 'now' }],
    },
  },
  'public.cleanup_outbox': {
    cleanup_outbox_pkey: { breaks: of('id', 1_000), holds: of('id', 1_000_001) },
    cleanup_outbox_target_1_to_2000_characters_check: {
      breaks: of('target', '', a(2001)),
      holds: of('target', 'a', '😀'.repeat(2000), ' '),
    },
    cleanup_outbox_sealed_token_until_revoked_check: {
      breaks: [
        { kind: 'oauth_token' },
        { sealed_token: sealed() },
        { kind: 'oauth_token', sealed_token: sealed(), finished_at: 'now' },
      ],
      holds: [{ kind: 'oauth_token', sealed_token: sealed() }, { kind: 'oauth_token', finished_at: 'now' }],
    },
    cleanup_outbox_context_is_object_check: {
      breaks: of('context', '[]', '"x"', '1', 'null'),
      holds: of('context', '{}', '{"app_id":1}'),
    },
    cleanup_outbox_attempt_not_negative_check: { breaks: of('attempt', -1), holds: of('attempt', 0) },
    cleanup_outbox_claimed_by_printable_check: {
      breaks: of('claimed_by', '', ' ', 'a b', 'é', 'a\n', a(201)).map((row) => ({ ...row, claimed_until: 'now' })),
      holds: of('claimed_by', 'host-1:42', a(200)).map((row) => ({ ...row, claimed_until: 'now' })),
    },
    cleanup_outbox_claim_has_an_end_check: {
      breaks: [{ claimed_by: 'w' }, { claimed_until: 'now' }],
      holds: [{ claimed_by: 'w', claimed_until: 'infinity' }],
    },
    cleanup_outbox_last_error_at_most_500_characters_check: {
      breaks: of('last_error', a(501)),
      holds: of('last_error', '', a(500), null),
    },
    cleanup_outbox_finished_keeps_no_details_check: {
      breaks: [{ context: { app_id: 1 } }, { last_error: 'x' }, { claimed_by: 'w', claimed_until: 'now' }].map((row) => ({
        ...row,
        finished_at: 'now',
      })),
      holds: [{ finished_at: 'now' }, { context: { app_id: 1 }, last_error: 'x' }],
    },
  },
  'public.schema_snapshots': {
    schema_snapshots_pkey: { breaks: of('id', schemaSnapshotId), holds: of('id', 1_000_001) },
    schema_snapshots_user_id_generation_request_id_iteration_number: {
      breaks: of('iteration_number', 1),
      holds: [{ iteration_number: 3 }, { iteration_number: 1, generation_request_id: idleRequestId }],
    },
    schema_snapshots_user_id_generation_request_id_fkey: {
      breaks: [...of('generation_request_id', other.requestId, nobodysId), { user_id: other.userId }],
      holds: [{ user_id: other.userId, generation_request_id: other.requestId }],
    },
    schema_snapshots_iteration_number_not_negative_check: {
      breaks: of('iteration_number', -1),
      holds: of('iteration_number', 0),
    },
    schema_snapshots_tables_have_columns_check: {
      breaks: of(
        'tables',
        ...['[]', '"x"', '1', 'null', '[{"columns":[]}]', '{"a":1}', '{"a":null}', '{"a":[]}', '{"a":[{"columns":[]}]}'],
        ...['{"a":{}}', '{"a":{"columns":null}}', '{"a":{"columns":{}}}', '{"a":{"columns":"[]"}}'],
        '{"a":{"columns":[]},"b":{}}',
      ),
      holds: of('tables', '{}', '{"a":{"columns":[]}}', '{"a":{"columns":[],"primary_key":["id"]},"b.c":{"columns":[]}}'),
    },
    schema_snapshots_columns_have_name_and_type_check: {
      breaks: ['1', 'null', '[]', '{}', '{"name":"a"}', '{"type":"int"}', '{"name":1,"type":"int"}', '{"name":"a","type":null}']
        .flatMap((column) => [column, `{"name":"a","type":"int"},${column}`])
        .map((columns) => ({ tables: `{"a":{"columns":[]},"b":{"columns":[${columns}]}}` })),
      holds: of(
        'tables',
        '{"a":{"columns":[{"name":"a","type":"int"},{"name":"b","type":"text","nullable":true,"default":null}]}}',
      ),
    },
    schema_snapshots_tables_at_most_1_mib_check: {
      breaks: of('tables', tableOfSize(MiB + 1), tableOfSize(10 * MiB)),
      holds: of('tables', tableOfSize(MiB)),
    },
    schema_snapshots_ddl_at_most_1_mib_check: {
      breaks: of('ddl', a(MiB + 1), 'é'.repeat(MiB / 2 + 1), a(10 * MiB)),
      holds: of('ddl', '', a(MiB), 'é'.repeat(MiB / 2)),
    },
  },
  'public.generation_costs': {
    generation_costs_pkey: {
      breaks: of('id', costId),
      holds: [{ id: 1_000_001 }, { id: costId, user_id: other.userId, generation_request_id: other.requestId }],
    },
    generation_costs_user_id_idempotency_key_key: {
      breaks: of('idempotency_key', 'taken'),
      holds: [
        { idempotency_key: 'free' },
        { idempotency_key: 'taken', user_id: other.userId, generation_request_id: other.requestId },
      ],
    },
    generation_costs_user_id_fkey: {
      breaks: [{ user_id: randomUUID(), generation_request_id: null }],
      holds: [{ user_id: other.userId, generation_request_id: null }],
    },
    generation_costs_user_id_generation_request_id_fkey: {
      breaks: [...of('generation_request_id', other.requestId, nobodysId), { user_id: other.userId }],
      holds: [{ user_id: other.userId, generation_request_id: other.requestId }, { generation_request_id: null }],
    },
    generation_costs_user_id_corrects_id_fkey: {
      breaks: [{ corrects_id: nobodysId }, { corrects_id: costId, user_id: other.userId, generation_request_id: null }],
      holds: of('corrects_id', costId, null),
    },
    generation_costs_corrects_another_check: { breaks: of('corrects_id', 1_000_000), holds: of('corrects_id', costId) },
    generation_costs_negative_only_in_corrections_check: {
      breaks: numbers.map((column) => ({ [column]: -1 })),
      holds: numbers.flatMap((column) => [{ [column]: 0 }, { [column]: 1 }, { [column]: -1, corrects_id: costId }]),
    },
    generation_costs_numbers_within_limits_check: {
      breaks: numbers.flatMap((column) => [
        { [column]: 1_000_000_000_001 },
        { [column]: -1_000_000_000_001, corrects_id: costId },
      ]),
      holds: numbers.flatMap((column) => [
        { [column]: 1_000_000_000_000 },
        { [column]: -1_000_000_000_000, corrects_id: costId },
      ]),
    },
    generation_costs_iteration_number_not_negative_check: {
      breaks: of('iteration_number', -1),
      holds: of('iteration_number', 0, null),
    },
    generation_costs_model_printable_check: {
      breaks: of('model', '', 'a b', 'é', 'a\n', a(201)),
      holds: of('model', 'vendor/model-1:2', a(200), null),
    },
    generation_costs_idempotency_key_form_check: {
      breaks: of('idempotency_key', '', 'a b', 'é', 'a\n', a(201), a(10 * MiB)),
      holds: of('idempotency_key', 'a', '!~', a(200)),
    },
  },
  'public.user_profiles': {
    user_profiles_pkey: { breaks: of('user_id', own.userId), holds: of('user_id', newcomer) },
    user_profiles_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', newcomer) },
    user_profiles_display_name_not_blank_check: visible('display_name'),
    user_profiles_display_name_at_most_120_characters_check: {
      breaks: of('display_name', a(121), '😀'.repeat(121)),
      holds: of('display_name', a(120), '😀'.repeat(120), null),
    },
    user_profiles_avatar_url_is_https_check: urls('avatar_url'),
    user_profiles_avatar_url_at_most_2048_characters_check: {
      breaks: of('avatar_url', `https://${a(2041)}`),
      holds: of('avatar_url', `https://${a(2040)}`),
    },
    user_profiles_preferences_at_most_16_kib_check: {
      breaks: of('preferences', { a: a(16_384 - 8) }, { a: '书'.repeat(5459) }),
      holds: of('preferences', { a: a(16_384 - 9) }, { a: '书'.repeat(5458) }),
    },
    user_profiles_preferences_at_most_32_levels_check: {
      breaks: of('preferences', nested(33), { a: JSON.parse('['.repeat(31) + '[1]' + ']'.repeat(31)) as unknown }),
      holds: of('preferences', nested(32)),
    },
    user_profiles_preferences_is_object_check: {
      breaks: of('preferences', '[]', '"x"', '1', 'null'),
      holds: of('preferences', '{}', '{"theme":null}'),
    },
  },
  'public.user_activity_log': {
    user_activity_log_pkey: { breaks: of('id', 1), holds: of('id', 1_000_001) },
    user_activity_log_user_id_fkey: { breaks: of('user_id', randomUUID()), holds: of('user_id', other.userId) },
    user_activity_log_action_known_of_object_type_check: {
      breaks: [...of('action', '', 'Create', 'enqueue', 'create '), ...of('object_type', '', 'App', 'generation', 'secret')],
      holds: Object.entries({
        app: ['create', 'rename', 'delete'],
        generation: ['enqueue', 'pause', 'resume', 'cancel', 'retry'],
        secret: ['connect', 'replace', 'remove'],
        profile: ['create', 'change'],
      }).flatMap(([object_type, actions]) => actions.map((action) => ({ object_type, action }))),
    },
    user_activity_log_object_id_form_check: {
      breaks: of('object_id', '', 'a b', 'é', 'a\n', a(129)),
      holds: of('object_id', '1', own.appId, a(128)),
    },
    user_activity_log_user_agent_at_most_512_characters_check: {
      breaks: of('user_agent', a(513)),
      holds: of('user_agent', a(512), '', null),
    },
    user_activity_log_detail_is_object_check: {
      breaks: of('detail', '[]', '"x"', '1', 'null'),
      holds: of('detail', '{}', '{"app_name":"Books"}'),
    },
    user_activity_log_detail_at_most_4_kib_check: {
      breaks: of('detail', { a: a(4096 - 8) }, { a: '书'.repeat(1363) }),
      holds: of('detail', { a: a(4096 - 9) }, { a: '书'.repeat(1362) }),
    },
  },
  'public.generation_events': {
    generation_events_pkey: { breaks: of('id', 1), holds: of('id', 1_000_001) },
    generation_events_acting_user_id_fkey: {
      breaks: of('acting_user_id', randomUUID()),
      holds: of('acting_user_id', own.userId, other.userId, null),
    },
    generation_events_user_id_generation_request_id_fkey: {
      breaks: [...of('generation_request_id', other.requestId, nobodysId), { user_id: other.userId }],
      holds: [{ user_id: other.userId, generation_request_id: other.requestId }],
    },
    generation_events_status_changes_check: { breaks: of('from_status', 'queued'), holds: of('from_status', 'paused', null) },
    generation_events_iteration_number_not_negative_check: {
      breaks: of('iteration_number', -1),
      holds: of('iteration_number', 0),
    },
    generation_events_reason_at_most_2000_characters_check: {
      breaks: of('reason', a(2001)),
      holds: of('reason', a(2000), '😀'.repeat(2000), '', null),
    },
  },
  'public.deployment_config_history': {
    deployment_config_history_pkey: { breaks: of('id', 1), holds: of('id', 1_000_001) },
    deployment_config_history_action_says_sides_check: {
      breaks: [...of('action', 'found', 'insert', 'delete', 'redact'), noSide('old'), noSide('new')],
      holds: [
        { ...noSide('old'), action: 'found' },
        { ...noSide('old'), action: 'insert' },
        { ...noSide('new'), action: 'delete' },
        { ...noSide('old'), ...noSide('new'), action: 'redact' },
      ],
    },
    deployment_config_history_sides_have_digests_check: {
      breaks: [{ old_digest: null }, { new_digest: null }, { ...noSide('old'), action: 'insert', old_digest: hash }],
      holds: [{ ...noSide('old'), action: 'insert' }],
    },
    deployment_config_history_only_plain_values_check: {
      breaks: [{ new_value: 'x' }, { old_encrypted: true, old_key_id: 'k' }, { ...noSide('old'), action: 'insert', old_value: 'x', old_salt: 'x' }],
      holds: [{ new_encrypted: false, new_key_id: null, new_value: 'x' }],
    },
    deployment_config_history_encrypted_sides_have_key_ids_check: {
      breaks: [{ new_key_id: null }, { old_key_id: 'k' }, { ...noSide('old'), action: 'insert', old_key_id: 'k' }],
      holds: [{ old_encrypted: true, old_value: null, old_key_id: 'k' }],
    },
    deployment_config_history_values_have_salts_check: {
      breaks: [{ old_salt: null }, { new_encrypted: false, new_key_id: null, new_value: 'x', new_salt: null }],
      holds: [{ old_value: null, old_salt: null }],
    },
    deployment_config_history_redacted_without_values_check: {
      breaks: of('redacted_at', 'now'),
      holds: [{ redacted_at: 'now', old_value: null, old_salt: null }],
    },
    deployment_config_history_hashes_are_sha256_check: {
      breaks: ['previous_hash', 'hash', 'old_digest', 'new_digest'].flatMap((column) => of(column, '', Buffer.alloc(31), Buffer.alloc(33))),
      holds: of('hash', Buffer.alloc(32, 1)),
    },
  },
  'private.audit_heads': {
    audit_heads_pkey: { breaks: of('table_name', 'deployment_config_history'), holds: of('table_name', 'other') },
    audit_heads_hash_is_sha256_check: {
      breaks: of('hash', '', Buffer.alloc(31), Buffer.alloc(33)),
      holds: of('hash', Buffer.alloc(32, 1)),
    },
  },
}

/** Columns that take no null; not those that are computed, which nobody writes. */
const required: Readonly<Record<Table, string>> = {
  'public.apps': 'id user_id app_name created_at',
  'public.generation_requests':
    'id user_id app_id app_name prompt status generation_type mode max_iterations current_iteration created_at ' +
    'updated_at attempt retry_count priority queue_at failure_count',
  'public.iteration_snapshots': 'id user_id generation_request_id iteration_number snapshot_type timestamp',
  'public.deployment_config': 'key value encrypted updated_at',
  'public.user_secrets': 'id user_id provider encrypted_token created_at updated_at',
  'private.generation_leases': 'user_id generation_request_id attempt worker expires_at',
  'private.secret_refreshes': 'user_id provider',
  'private.queues': 'name',
  'private.migration_log': 'id table_name row_id column_name reason logged_at',
  'private.quarantine': 'id table_name row_id reason content quarantined_at',
  'private.upgrade_users': 'user_id named_at',
  'private.upgrade_owners': 'app_id',
  'private.upgrade_progress': 'phase done passed_over is_finished',
  'private.upgrade_counts': 'table_name last_id fingerprint_of',
  'private.upgrade_changes': 'id table_name row_id change row_count fingerprint changed_at',
  'private.upgrade_samples': 'row_id digest',
  'private.error_codes': 'code name meaning',
  'public.supabase_projects': 'ref pool region capacity used status created_at updated_at',
  'public.supabase_project_places': 'app_id supabase_project_ref status allocated_at',
  'public.cleanup_outbox': 'id kind target context attempt created_at available_at',
  'public.schema_snapshots': 'id user_id generation_request_id iteration_number tables ddl created_at',
  'public.generation_costs':
    'id user_id kind input_tokens output_tokens cached_tokens compute_ms cost_micros idempotency_key created_at',
  'public.user_profiles': 'user_id preferences created_at updated_at',
  'public.user_activity_log': 'id user_id action object_type object_id detail created_at',
  'public.generation_events': 'id user_id generation_request_id to_status iteration_number actor created_at',
  'public.deployment_config_history': 'id key action actor_role changed_at previous_hash hash',
  'private.audit_heads': 'table_name hash',
}

const brief = (change: Row): string => JSON.stringify(change).slice(0, 500)

const codes = { pkey: '23505', key: '23505', fkey: '23503', check: '23514' }
/** A name that was cut off at 63 characters is a unique key's. */
const codeOf = (constraint: string): string => codes[constraint.split('_').at(-1) as keyof typeof codes] ?? codes.key

for (const table of tables) {
  for (const [constraint, { breaks, holds, behind }] of Object.entries(rules[table])) {
    t.test(constraint, async (t) => {
      const attempt = (change: Row) =>
        rolledBack(db.owner, async () => {
          if (behind) await db.owner.query(`alter table ${table} drop constraint ${behind}`)
          return outcomeOf(insertRow(db.owner, table, { ...good[table], ...change }))
        })
      const refused = { code: codeOf(constraint), constraint }
      for (const change of breaks) t.hasStrict(await attempt(change), refused, `refuses ${brief(change)}`)
      for (const change of holds) t.equal((await attempt(change)).code, 'done', `takes ${brief(change)}`)
    })
  }

  t.test(`${table} takes no null in ${required[table]}`, async (t) => {
    const attempt = (row: Row) => rolledBack(db.owner, () => outcomeOf(insertRow(db.owner, table, row)))
    for (const column of required[table].split(' ')) {
      t.hasStrict(await attempt({ ...good[table], [column]: null }), { code: '23502', column })
    }
    t.equal((await attempt(good[table])).code, 'done')
  })
}

t.test('a name of nothing but invisible characters is blank, whichever they are', async (t) => {
  const invisible = /[\p{White_Space}\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]/u
  const candidates = Array.from({ length: 0x110000 }, (_, code) => code).filter(
    (code) => code > 0 && (code < 0xd800 || code > 0xdfff) && invisible.test(String.fromCodePoint(code)),
  )
  for (const constraint of [
    'apps_app_name_not_blank_check',
    'generation_requests_app_name_not_blank_check',
    'user_profiles_display_name_not_blank_check',
  ]) {
    const { rows } = await db.owner.query<{ expression: string }>(
      'select pg_get_expr(conbin, conrelid) as expression from pg_constraint where conname = $1',
      [constraint],
    )
    const taken = await db.owner.query<{ code: number }>(
      `select code
       from (select code, chr(code) as app_name, chr(code) as display_name from unnest($1::int[]) as code) as candidates
       where ${rows[0]?.expression} order by code`,
      [candidates],
    )
    t.strictSame(ranges(taken.rows.map(({ code }) => code)), [], `${constraint} takes none of them`)
  }
})

/** `[1, 2, 3, 10]` as `['1-3', 'a-a']`. */
function ranges(codes: readonly number[]): string[] {
  const starts = codes.filter((code) => !codes.includes(code - 1))
  const ends = codes.filter((code) => !codes.includes(code + 1))
  return starts.map((start, index) => `${start.toString(16)}-${ends[index]?.toString(16)}`)
}

/** What the catalog has and the tables above do not name, and the other way round. */
async function differences(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ rule: string }>(`
    with ours as (select oid, nspname from pg_namespace where nspname in ('public', 'private'))
    select conname as rule from pg_constraint
    where connamespace in (select oid from ours) and contype <> 'n'
    union all
    select relname from pg_index
    join pg_class on pg_class.oid = indexrelid
    where relnamespace in (select oid from ours) and indisunique
      and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
    union all
    select format('%s.%s.%s', nspname, relname, attname) from pg_attribute
    join pg_class on pg_class.oid = attrelid
    join ours on ours.oid = relnamespace
    where relkind in ('r', 'p') and attnum > 0 and not attisdropped and attnotnull and attgenerated = ''
    union all
    select format('%s not null', typname) from pg_type
    where typnamespace in (select oid from ours) and typnotnull`)
  const found = new Set(rows.map(({ rule }) => rule))
  const named = new Set([
    ...tables.flatMap((table) => Object.keys(rules[table])),
    ...tables.flatMap((table) => required[table].split(' ').map((column) => `${table}.${column}`)),
  ])
  return [
    ...[...found].filter((rule) => !named.has(rule)).map((rule) => `not named here: ${rule}`),
    ...[...named].filter((rule) => !found.has(rule)).map((rule) => `not in the database: ${rule}`),
  ].sort()
}

t.test('every constraint of the database is named here', async (t) => {
  t.strictSame(await differences(db.owner), [])
})

const violations: Readonly<Record<string, string>> = {
  'alter table apps add constraint apps_oops_check check (true)': 'not named here: apps_oops_check',
  'create unique index apps_oops_key on apps (user_id, created_at)': 'not named here: apps_oops_key',
  'alter table apps add constraint apps_oops_excl exclude (id with =)': 'not named here: apps_oops_excl',
  'alter table generation_requests alter column prompt drop not null':
    'not in the database: public.generation_requests.prompt',
  'alter table iteration_snapshots alter column files_snapshot set not null':
    'not named here: public.iteration_snapshots.files_snapshot',
  'alter domain sealed_secret add constraint sealed_secret_oops_check check (true)':
    'not named here: sealed_secret_oops_check',
  'alter table apps drop constraint apps_user_id_fkey': 'not in the database: apps_user_id_fkey',
}

for (const [change, report] of Object.entries(violations)) {
  t.test(`is noticed: ${change}`, async (t) => {
    const found = await rolledBack(db.owner, async () => {
      await db.owner.query(change)
      return differences(db.owner)
    })
    t.strictSame(found, [report])
  })
}
