import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createTestDatabase } from './fixtures/database.ts'
import { outcomeOf, rolledBack } from './fixtures/probe.ts'
import { insertRequest, insertRow, insertTenant, sealed } from './fixtures/rows.ts'
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
const hash = Buffer.alloc(32)

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
  'private.upgrade_progress': { phase: 'new', done: 0, is_finished: false },
  'private.upgrade_counts': { table_name: 'new', last_id: 0, fingerprint_of: '0' },
  'private.upgrade_changes': {
    ...{ id: 1_000_000, table_name: 'generation_requests', row_id: 1 },
    ...{ change: 'deleted', row_count: -1, fingerprint: 0, changed_at: 'now' },
  },
  'private.upgrade_samples': { row_id: 1_000_000, digest: 'x' },
  'private.error_codes': { code: 'LEO99', name: 'new', meaning: 'x' },
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

const blanks = ['', ' ', '\t', '\n', '\u00a0', '\u200b', '\u200d', '\ufeff', '\u2003', '\u3000', '\u3164', ' \u200b\t']
const names: Rule = { breaks: of('app_name', ...blanks), holds: of('app_name', 'a', ' a ', '0', '书', '😀', '\u200ba') }
const urls = (column: string): Rule => ({
  breaks: of(column, '', 'http://a.com', 'https://', 'https://a b', ' https://a', 'javascript:alert(1)', 'https://a\n'),
  holds: of(column, 'https://github.com/a/b?c=d#e', 'https://a', null),
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
    user_secrets_provider_is_slug_check: {
      breaks: of('provider', '', 'GitHub', '1a', 'a-', 'a--b', 'a b', 'é', 'a\n', a(65)),
      holds: of('provider', 'a', 'git-hub2', a(64)),
    },
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

/** Columns that take no null. */
const required: Readonly<Record<Table, string>> = {
  'public.apps': 'id user_id app_name created_at',
  'public.generation_requests':
    'id user_id app_id app_name prompt status generation_type mode max_iterations current_iteration created_at ' +
    'updated_at attempt retry_count priority queue_at',
  'public.iteration_snapshots': 'id user_id generation_request_id iteration_number snapshot_type timestamp',
  'public.deployment_config': 'key value encrypted updated_at',
  'public.user_secrets': 'id user_id provider encrypted_token created_at updated_at',
  'private.generation_leases': 'user_id generation_request_id attempt worker expires_at',
  'private.migration_log': 'id table_name row_id column_name reason logged_at',
  'private.quarantine': 'id table_name row_id reason content quarantined_at',
  'private.upgrade_users': 'user_id named_at',
  'private.upgrade_owners': 'app_id',
  'private.upgrade_progress': 'phase done is_finished',
  'private.upgrade_counts': 'table_name last_id fingerprint_of',
  'private.upgrade_changes': 'id table_name row_id change row_count fingerprint changed_at',
  'private.upgrade_samples': 'row_id digest',
  'private.error_codes': 'code name meaning',
  'public.generation_events': 'id user_id generation_request_id to_status iteration_number actor created_at',
  'public.deployment_config_history': 'id key action actor_role changed_at previous_hash hash',
  'private.audit_heads': 'table_name hash',
}

const codes = { pkey: '23505', key: '23505', fkey: '23503', check: '23514' }
const codeOf = (constraint: string): string => codes[constraint.split('_').at(-1) as keyof typeof codes]

for (const table of tables) {
  for (const [constraint, { breaks, holds, behind }] of Object.entries(rules[table])) {
    t.test(constraint, async (t) => {
      const attempt = (change: Row) =>
        rolledBack(db.owner, async () => {
          if (behind) await db.owner.query(`alter table ${table} drop constraint ${behind}`)
          return outcomeOf(insertRow(db.owner, table, { ...good[table], ...change }))
        })
      const refused = { code: codeOf(constraint), constraint }
      for (const change of breaks) t.hasStrict(await attempt(change), refused, `refuses ${JSON.stringify(change)}`)
      for (const change of holds) t.equal((await attempt(change)).code, 'done', `takes ${JSON.stringify(change)}`)
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
  for (const constraint of ['apps_app_name_not_blank_check', 'generation_requests_app_name_not_blank_check']) {
    const { rows } = await db.owner.query<{ expression: string }>(
      'select pg_get_expr(conbin, conrelid) as expression from pg_constraint where conname = $1',
      [constraint],
    )
    const taken = await db.owner.query<{ code: number }>(
      `select code from (select code, chr(code) as app_name from unnest($1::int[]) as code) as candidates
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
    where relkind in ('r', 'p') and attnum > 0 and not attisdropped and attnotnull
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
