import t from 'tap'
import type pg from 'pg'
import { generations } from './fixtures/constraints/generations.ts'
import { platform } from './fixtures/constraints/platform.ts'
import type { Rule } from './fixtures/constraints/rule.ts'
import { createStage } from './fixtures/constraints/stage.ts'
import type { Table } from './fixtures/constraints/stage.ts'
import { upgrade } from './fixtures/constraints/upgrade.ts'
import { users } from './fixtures/constraints/users.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertRow } from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const stage = await createStage(db)
const good: Readonly<Record<Table, Row>> = stage.good
const tables = Object.keys(good) as Table[]
const rules: Readonly<Record<Table, Readonly<Record<string, Rule>>>> = {
  ...generations(stage),
  ...platform(stage),
  ...upgrade(stage),
  ...users(stage),
}

// Triggers would mend or refuse some of these rows before the constraint sees them. Here each constraint stands alone.
for (const table of tables) await db.owner.query(`alter table ${table} disable trigger user`)

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
