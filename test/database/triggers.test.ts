import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, user } from '../fixtures/database.ts'
import { plaintext, errorOf, errorContains } from '../fixtures/leaks.ts'
import { outcomeOf, rolledBack } from '../fixtures/probe.ts'
import {
  insertApp, insertCost, insertRequest, insertRow, insertSchemaSnapshot, insertSecret, insertTenant, only, sealed,
} from '../fixtures/rows.ts'
import type { Row } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const { userId, appId, requestId } = await insertTenant(db)
const bystander = await db.login('postgres')

interface Trigger {
  /** An effect that only this trigger has. */
  readonly behaviour: string
  readonly holds: () => Promise<boolean>
}

const update = async (table: string, change: string, column: string): Promise<unknown> =>
  only(await owner.query<Row>(`update ${table} set ${change} returning ${column}`))[column]
const ignoresUpdatedAt = (table: string) => async () =>
  (await update(table, `updated_at = 'infinity'`, 'updated_at')) instanceof Date
const rejectsUser = async (code: string, write: () => Promise<unknown>): Promise<boolean> => {
  await assume(owner, user(userId))
  return (await outcomeOf(write())).code === code
}

/** Whether upgrade_changes records the change. Before, all existing rows are marked as counted by the upgrade. */
const recordsChange = (change: string, table: string, act: string) => async (): Promise<boolean> => {
  await owner.query('update private.upgrade_counts set last_id = 2147483647')
  await owner.query(act)
  const { rows } = await owner.query('select from private.upgrade_changes where change = $1 and table_name = $2', [change, table])
  return rows.length > 0
}

/** Whether the change adds an entry to the emptied activity log. */
const logs = (objectType: string, action: string, change: () => Promise<unknown>) => async (): Promise<boolean> => {
  await owner.query('delete from user_activity_log')
  await change()
  const { rows } = await owner.query('select object_type, action from user_activity_log')
  return rows.some((row) => row.object_type === objectType && row.action === action)
}
const declareOwner = () => owner.query(`select set_config('leo.acting_user', $1, true)`, [userId])

const leavesOneRow = async (change: string, select: string): Promise<boolean> => {
  await owner.query(change)
  return (await owner.query(select)).rowCount === 1
}

const countEvents = async (id: number): Promise<number | null> =>
  (await owner.query('select from generation_events where generation_request_id = $1', [id])).rowCount

/** Every trigger of the schema. The tests of its table specify the behaviour in detail. */
const triggers: Readonly<Record<string, Trigger>> = {
  'private.quarantine _900_record_change': {
    behaviour: 'a row that is removed from quarantine is recorded in upgrade_changes',
    holds: recordsChange('deleted', 'generation_requests', 'delete from private.quarantine'),
  },
  'public.apps _500_record_cleanup': {
    behaviour: 'the allocation of a deleted app is added to cleanup_outbox',
    holds: () => leavesOneRow('delete from apps', `select from cleanup_outbox where kind = 'supabase_place'`),
  },
  'public.apps _500_release_supabase_place': {
    behaviour: 'the allocation of a deleted app becomes releasing',
    holds: () => leavesOneRow('delete from apps', `select from supabase_project_places where status = 'releasing'`),
  },
  'public.apps _900_log_create': {
    behaviour: 'a new app is logged',
    holds: logs('app', 'create', () => insertApp(owner, userId)),
  },
  'public.apps _900_log_delete': {
    behaviour: 'a deleted app is logged',
    holds: logs('app', 'delete', () => owner.query('delete from apps')),
  },
  'public.apps _900_log_rename': {
    behaviour: 'a rename of an app is logged',
    holds: logs('app', 'rename', () => owner.query(`update apps set app_name = 'Renamed'`)),
  },
  'public.deployment_config _100_lock_history': {
    behaviour: 'a statement on deployment_config locks the head of the hash chain first',
    holds: async () => {
      await owner.query(`update deployment_config set value = 'x' where false`)
      return (await bystander.query('select from private.audit_heads for update skip locked')).rowCount === 0
    },
  },
  'public.deployment_config _100_refuse_plaintext': {
    behaviour: 'the error for a row without a key does not contain its plaintext',
    holds: async () => {
      const row = { key: null, value: plaintext, encrypted: true }
      return !errorContains(await errorOf(insertRow(owner, 'deployment_config', row)), plaintext)
    },
  },
  'public.deployment_config _100_touch_updated_at': {
    behaviour: 'updated_at is not a value from the writer',
    holds: async () => {
      await insertRow(owner, 'deployment_config', { key: 'a', value: 'x' })
      return ignoresUpdatedAt('deployment_config')()
    },
  },
  'public.deployment_config _900_record_history': {
    behaviour: 'a new setting is recorded in the history',
    holds: async () => {
      await insertRow(owner, 'deployment_config', { key: 'a', value: 'x' })
      return (await owner.query(`select from deployment_config_history where key = 'a'`)).rowCount === 1
    },
  },
  'public.generation_costs _100_attribute': {
    behaviour: 'a cost gets the app of its generation',
    holds: async () => {
      const row = { user_id: userId, generation_request_id: requestId, kind: 'tokens', idempotency_key: 'a' }
      return only(await insertRow(owner, 'generation_costs', row, 'returning app_id'))['app_id'] === appId
    },
  },
  'public.generation_costs _200_refuse_unknown_iteration': {
    behaviour: 'a cost with an iteration above the maximum is rejected',
    holds: async () => {
      const cost = insertCost(owner, userId, { generation_request_id: requestId, iteration_number: 11 })
      return (await outcomeOf(cost)).code === 'LEO17'
    },
  },
  'public.generation_requests _100_change_status': {
    behaviour: 'attempt increases when a generation starts',
    holds: async () => (await update('generation_requests', `status = 'generating'`, 'attempt')) === 1,
  },
  'public.generation_requests _100_enqueue': {
    behaviour: 'a generation gets the name of its app',
    holds: async () => {
      const named = await outcomeOf(insertRequest(owner, userId, appId))
      return named.code === 'done'
    },
  },
  'public.generation_requests _100_freeze_identity': {
    behaviour: 'app_name cannot change',
    holds: async () => (await outcomeOf(update('generation_requests', `app_name = 'x'`, 'id'))).code === 'LEO06',
  },
  'public.generation_requests _100_touch_updated_at': {
    behaviour: 'updated_at is not a value from the writer',
    holds: ignoresUpdatedAt('generation_requests'),
  },
  'public.generation_requests _200_limit_user': {
    behaviour: 'a user cannot enqueue a generation of more than 100 iterations',
    holds: () => rejectsUser('LEO05', () => insertRequest(owner, userId, appId, { max_iterations: 101 })),
  },
  'public.generation_requests _200_limit_user_again': {
    behaviour: 'a user cannot resume a generation if their queue is full',
    holds: async () => {
      for (let count = 0; count < 19; count += 1) await insertRequest(owner, userId, appId)
      const paused = await insertRequest(owner, userId, appId, { status: 'paused' })
      const resume = `update generation_requests set status = 'queued' where id = ${paused}`
      return rejectsUser('LEO04', () => owner.query(resume))
    },
  },
  'public.generation_requests _900_log_enqueue': {
    behaviour: 'an enqueue is logged',
    holds: logs('generation', 'enqueue', () => insertRequest(owner, userId, appId)),
  },
  'public.generation_requests _900_log_status_change': {
    behaviour: 'a cancellation by the owner is logged',
    holds: logs('generation', 'cancel', async () => {
      await declareOwner()
      await owner.query(`update generation_requests set status = 'cancelled'`)
    }),
  },
  'public.generation_requests _900_record_deletion': {
    behaviour: 'a deleted generation is recorded in upgrade_changes',
    holds: recordsChange('deleted', 'generation_requests', 'delete from public.generation_requests'),
  },
  'public.generation_requests _900_record_event': {
    behaviour: 'a status change adds an event',
    holds: async () => {
      const id = await insertRequest(owner, userId, appId)
      const before = await countEvents(id)
      await owner.query(`update generation_requests set status = 'paused' where id = $1`, [id])
      return (await countEvents(id)) !== before
    },
  },
  'public.generation_requests _900_record_first_event': {
    behaviour: 'a new generation adds an event',
    holds: async () => (await countEvents(await insertRequest(owner, userId, appId))) === 1,
  },
  'public.generation_requests _900_record_rewriting': {
    behaviour: 'a changed generation is recorded in upgrade_changes',
    holds: recordsChange('rewritten', 'generation_requests', `update public.generation_requests set prompt = prompt || '!'`),
  },
  'public.iteration_snapshots _900_record_deletion': {
    behaviour: 'a deleted snapshot is recorded in upgrade_changes',
    holds: recordsChange('deleted', 'iteration_snapshots', 'delete from public.iteration_snapshots'),
  },
  'public.iteration_snapshots _900_record_rewriting': {
    behaviour: 'a changed snapshot is recorded in upgrade_changes',
    holds: recordsChange(
      'rewritten',
      'iteration_snapshots',
      'update public.iteration_snapshots set iteration_number = iteration_number + 1',
    ),
  },
  'public.schema_snapshots _100_refuse_unknown_iteration': {
    behaviour: 'a schema snapshot with an iteration above the maximum is rejected',
    holds: async () => {
      const snapshot = insertSchemaSnapshot(owner, userId, requestId, { iteration_number: 11 })
      return (await outcomeOf(snapshot)).code === 'LEO17'
    },
  },
  'public.supabase_projects _100_touch_updated_at': {
    behaviour: 'updated_at is not a value from the writer',
    holds: ignoresUpdatedAt('supabase_projects'),
  },
  'public.user_profiles _100_merge_preferences': {
    behaviour: 'an update of preferences keeps the other members',
    holds: async () => 'theme' in ((await update('user_profiles', `preferences = '{"a": 1}'`, 'preferences')) as Row),
  },
  'public.user_profiles _100_touch_updated_at': {
    behaviour: 'updated_at is not a value from the writer',
    holds: ignoresUpdatedAt('user_profiles'),
  },
  'public.user_profiles _900_log_change': {
    behaviour: 'a changed profile is logged',
    holds: logs('profile', 'change', () => owner.query('update user_profiles set display_name = null')),
  },
  'public.user_profiles _900_log_create': {
    behaviour: 'a new profile is logged',
    holds: logs('profile', 'create', async () => {
      await owner.query('delete from user_profiles')
      await insertRow(owner, 'user_profiles', { user_id: userId })
    }),
  },
  'public.user_secrets _100_touch_updated_at': {
    behaviour: 'updated_at is not a value from the writer',
    holds: ignoresUpdatedAt('user_secrets'),
  },
  'public.user_secrets _500_record_cleanup': {
    behaviour: 'the token of a deleted secret is added to cleanup_outbox',
    holds: () => leavesOneRow('delete from user_secrets', `select from cleanup_outbox where kind = 'oauth_token'`),
  },
  'public.user_secrets _900_log_connect': {
    behaviour: 'a new secret is logged',
    holds: logs('secret', 'connect', () => insertSecret(owner, userId, 'fly')),
  },
  'public.user_secrets _900_log_remove': {
    behaviour: 'a deleted secret is logged',
    holds: logs('secret', 'remove', () => owner.query('delete from user_secrets')),
  },
  'public.user_secrets _900_log_replace': {
    behaviour: 'a token that its owner replaces is logged',
    holds: logs('secret', 'replace', async () => {
      await declareOwner()
      await owner.query('update user_secrets set encrypted_token = $1', [sealed()])
    }),
  },
}

async function readTriggers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    select format('%s.%s %s', nspname, relname, tgname) as name
    from pg_trigger
    join pg_class on pg_class.oid = tgrelid
    join pg_namespace on pg_namespace.oid = relnamespace
    where not tgisinternal and nspname in ('public', 'private')`)
  return rows.map(({ name }) => name).sort()
}

t.test('every trigger of the database is listed here', async (t) => {
  t.strictSame(await readTriggers(owner), Object.keys(triggers).sort())
})

t.test('the query finds a trigger that is not listed', async (t) => {
  const found = await rolledBack(owner, async () => {
    await owner.query(`
      create trigger oops before update on private.error_codes
      for each row execute function suppress_redundant_updates_trigger()`)
    return readTriggers(owner)
  })
  t.ok(found.includes('private.error_codes oops'))
})

for (const [name, { behaviour, holds }] of Object.entries(triggers)) {
  t.test(`${name}: ${behaviour}, and not without the trigger`, async (t) => {
    t.equal(await rolledBack(owner, holds), true)
    const [table, trigger] = name.split(' ')
    const without = await rolledBack(owner, async () => {
      await owner.query(`drop trigger ${trigger} on ${table}`)
      return holds()
    })
    t.equal(without, false)
  })
}
