import t from 'tap'
import type pg from 'pg'
import { editsFor } from './fixtures/constraints/edits.ts'
import { generations } from './fixtures/constraints/generations.ts'
import { platform } from './fixtures/constraints/platform.ts'
import type { Rule } from './fixtures/constraints/rule.ts'
import { insertSeed } from './fixtures/constraints/seed.ts'
import type { Table } from './fixtures/constraints/seed.ts'
import { upgrade } from './fixtures/constraints/upgrade.ts'
import { users } from './fixtures/constraints/users.ts'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import type { Persona } from '../fixtures/database.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import type { Outcome } from '../fixtures/probe.ts'
import { insertRow } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const seed = await insertSeed(db)
const validRows: Readonly<Record<Table, Row>> = seed.validRows
const tables = Object.keys(validRows) as Table[]
const rules: Readonly<Record<Table, Readonly<Record<string, Rule>>>> = {
  ...generations(seed),
  ...platform(seed),
  ...upgrade(seed),
  ...users(seed),
}

// Triggers would change or reject some of these rows before the constraint is checked.
for (const table of tables) await db.owner.query(`alter table ${table} disable trigger user`)

/** The NOT NULL columns of each table, without generated columns. */
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
/** A name without a suffix belongs to a unique key: PostgreSQL truncates names to 63 bytes. */
const codeOf = (constraint: string): string => codes[constraint.split('_').at(-1) as keyof typeof codes] ?? codes.key

for (const table of tables) {
  for (const [constraint, { rejects, accepts, shadowedBy }] of Object.entries(rules[table])) {
    t.test(constraint, async (t) => {
      const attempt = (change: Row) =>
        rolledBack(db.owner, async () => {
          if (shadowedBy) await db.owner.query(`alter table ${table} drop constraint ${shadowedBy}`)
          return outcomeOf(insertRow(db.owner, table, { ...validRows[table], ...change }))
        })
      const rejected = { code: codeOf(constraint), constraint }
      for (const change of rejects) t.hasStrict(await attempt(change), rejected, `rejects ${brief(change)}`)
      for (const change of accepts) t.equal((await attempt(change)).code, 'done', `accepts ${brief(change)}`)
    })
  }

  t.test(`${table} rejects null in ${required[table]}`, async (t) => {
    const attempt = (row: Row) => rolledBack(db.owner, () => outcomeOf(insertRow(db.owner, table, row)))
    for (const column of required[table].split(' ')) {
      t.hasStrict(await attempt({ ...validRows[table], [column]: null }), { code: '23502', column })
    }
    t.equal((await attempt(validRows[table])).code, 'done')
  })
}

t.test('a name that consists of one invisible character is blank', async (t) => {
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
    const accepted = await db.owner.query<{ code: number }>(
      `select code
       from (select code, chr(code) as app_name, chr(code) as display_name from unnest($1::int[]) as code) as candidates
       where ${rows[0]?.expression} order by code`,
      [candidates],
    )
    t.strictSame(ranges(accepted.rows.map(({ code }) => code)), [], `${constraint} rejects each of them`)
  }
})

t.test('a role that writes a table may execute the functions that its checks call', async (t) => {
  const { newUserId: userId, own } = seed
  const worker = await db.login(logins.leo_worker)
  type Try = (statement: string, ...values: unknown[]) => Promise<Outcome>
  const as = (persona: Persona): Try => (statement, ...values) =>
    outcomeOf(db.tryAs(persona, (client) => client.query(statement, values)))
  const roles: Readonly<Record<string, Try>> = {
    authenticated: as(user(userId)),
    service_role: as(service),
    leo_worker: (statement, ...values) => rolledBack(worker, () => outcomeOf(worker.query(statement, values))),
  }
  const createApp = 'insert into apps (user_id, app_name) values ($1, $2)'
  const createProfile = 'insert into user_profiles (user_id, avatar_url) values ($1, $2)'
  const setUrl = 'update generation_requests set github_url = $2 where id = $1'
  for (const [role, attempt] of Object.entries(roles)) {
    t.equal((await attempt(createApp, userId, 'Books')).code, 'done', `${role} creates an app`)
    t.hasStrict(await attempt(createApp, userId, ' '), { code: '23514', constraint: 'apps_app_name_not_blank_check' })
    t.equal((await attempt(createProfile, userId, 'https://a.b')).code, 'done', `${role} creates a profile`)
    t.hasStrict(await attempt(createProfile, userId, 'http://a.b'), { constraint: 'user_profiles_avatar_url_is_https_check' })
    if (role === 'authenticated') continue
    t.equal((await attempt(setUrl, own.requestId, 'https://a.b')).code, 'done', `${role} updates a generation`)
    t.hasStrict(await attempt(setUrl, own.requestId, 'http://a.b'), {
      constraint: 'generation_requests_github_url_is_https_check',
    })
  }
  await db.owner.query('alter table generation_requests enable trigger _100_enqueue')
  const enqueue = `insert into generation_requests (user_id, app_id, prompt, mode) values ($1, $2, 'x', 'autonomous')`
  t.equal((await as(user(own.userId))(enqueue, own.userId, own.appId)).code, 'done', 'a user enqueues a generation')
  await db.owner.query('alter table generation_requests disable trigger _100_enqueue')
})

/** Formats `[1, 2, 3, 10]` as `['1-3', 'a-a']`. */
function ranges(codes: readonly number[]): string[] {
  const starts = codes.filter((code) => !codes.includes(code - 1))
  const ends = codes.filter((code) => !codes.includes(code + 1))
  return starts.map((start, index) => `${start.toString(16)}-${ends[index]?.toString(16)}`)
}

/** Constraints and NOT NULL columns that are only in the catalog, or only in the rules above. */
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
    ...[...found].filter((rule) => !named.has(rule)).map((rule) => `no rule here: ${rule}`),
    ...[...named].filter((rule) => !found.has(rule)).map((rule) => `not in the database: ${rule}`),
  ].sort()
}

t.test('every constraint of the database has a rule here', async (t) => {
  t.strictSame(await editsFor(db.owner, await differences(db.owner)), [])
})

const violations: Readonly<Record<string, string>> = {
  'alter table apps add constraint apps_oops_check check (true)': 'no rule here: apps_oops_check',
  'create unique index apps_oops_key on apps (user_id, created_at)': 'no rule here: apps_oops_key',
  'alter table apps add constraint apps_oops_excl exclude (id with =)': 'no rule here: apps_oops_excl',
  'alter table generation_requests alter column prompt drop not null':
    'not in the database: public.generation_requests.prompt',
  'alter table iteration_snapshots alter column files_snapshot set not null':
    'no rule here: public.iteration_snapshots.files_snapshot',
  'alter domain sealed_secret add constraint sealed_secret_oops_check check (true)':
    'no rule here: sealed_secret_oops_check',
  'alter table apps drop constraint apps_user_id_fkey': 'not in the database: apps_user_id_fkey',
}

for (const [change, report] of Object.entries(violations)) {
  t.test(`the comparison reports: ${change}`, async (t) => {
    const found = await rolledBack(db.owner, async () => {
      await db.owner.query(change)
      return differences(db.owner)
    })
    t.strictSame(found, [report])
  })
}
