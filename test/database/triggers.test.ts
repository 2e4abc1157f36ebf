import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, user } from '../fixtures/database.ts'
import { plaintext, refusalOf, repeats } from '../fixtures/leaks.ts'
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
  /** What holds because of the trigger, and only because of it. */
  readonly behaviour: string
  readonly holds: () => Promise<boolean>
}

const update = async (table: string, change: string, column: string): Promise<unknown> =>
  only(await owner.query<Row>(`update ${table} set ${change} returning ${column}`))[column]
const isUntouchable = (table: string) => async () =>
  (await update(table, `updated_at = 'infinity'`, 'updated_at')) instanceof Date
const refusesUser = async (code: string, write: () => Promise<unknown>): Promise<boolean> => {
  await assume(owner, user(userId))
  return (await outcomeOf(write())).code === code
}

/** Whether the books of the upgrade take note, once what is there counts as old. */
const notes = (change: string, table: string, act: string) => async (): Promise<boolean> => {
  await owner.query('update private.upgrade_counts set last_id = 2147483647')
  await owner.query(act)
  const { rows } = await owner.query('select from private.upgrade_changes where change = $1 and table_name = $2', [change, table])
  return rows.length > 0
}

/** Whether the change is logged, in a log that was empty. */
const logs = (objectType: string, action: string, change: () => Promise<unknown>) => async (): Promise<boolean> => {
  await owner.query('delete from user_activity_log')
  await change()
  const { rows } = await owner.query('select object_type, action from user_activity_log')
  return rows.some((row) => row.object_type === objectType && row.action === action)
}
const asOwner = () => owner.query(`select set_config('leo.acting_user', $1, true)`, [userId])

const leaves = async (change: string, look: string): Promise<boolean> => {
  await owner.query(change)
  return (await owner.query(look)).rowCount === 1
}

const events = async (id: number): Promise<number | null> =>
  (await owner.query('select from generation_events where generation_request_id = $1', [id])).rowCount

/** Every trigger of the schema; the behaviour itself is specified in the test of its table. */
const triggers: Readonly<Record<string, Trigger>> = {
  'private.quarantine _900_record_change': {
    behaviour: 'a row that leaves quarantine is in the books',
    holds: notes('deleted', 'generation_requests', 'delete from private.quarantine'),
  },
  'public.apps _500_record_cleanup': {
    behaviour: 'the place of a deleted app is left to be cleaned up',
    holds: () => leaves('delete from apps', `select from cleanup_outbox where kind = 'supabase_place'`),
  },
  'public.apps _500_release_supabase_place': {
    behaviour: 'the place of a deleted app waits to be wiped',
    holds: () => leaves('delete from apps', `select from supabase_project_places where status = 'releasing'`),
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
    behaviour: 'a new name is logged',
    holds: logs('app', 'rename', () => owner.query(`update apps set app_name = 'Renamed'`)),
  },
  'public.deployment_config _100_lock_history': {
    behaviour: 'a writer of config holds the end of the chain before any row',
    holds: async () => {
      await owner.query(`update deployment_config set value = 'x' where false`)
      return (await bystander.query('select from private.audit_heads for update skip locked')).rowCount === 0
    },
  },
  'public.deployment_config _100_refuse_plaintext': {
    behaviour: 'a row without a key does not print the plaintext it came with',
    holds: async () => {
      const row = { key: null, value: plaintext, encrypted: true }
      return !repeats(await refusalOf(insertRow(owner, 'deployment_config', row)), plaintext)
    },
  },
  'public.deployment_config _100_touch_updated_at': {
    behaviour: "updated_at is not the writer's",
    holds: async () => {
      await insertRow(owner, 'deployment_config', { key: 'a', value: 'x' })
      return isUntouchable('deployment_config')()
    },
  },
  'public.deployment_config _900_record_history': {
    behaviour: 'a setting is in the history',
    holds: async () => {
      await insertRow(owner, 'deployment_config', { key: 'a', value: 'x' })
      return (await owner.query(`select from deployment_config_history where key = 'a'`)).rowCount === 1
    },
  },
  'public.generation_costs _100_attribute': {
    behaviour: 'a cost is for the app of its generation',
    holds: async () => {
      const row = { user_id: userId, generation_request_id: requestId, kind: 'tokens', idempotency_key: 'a' }
      return only(await insertRow(owner, 'generation_costs', row, 'returning app_id'))['app_id'] === appId
    },
  },
  'public.generation_costs _200_refuse_unknown_iteration': {
    behaviour: 'no cost of an iteration that the generation cannot have',
    holds: async () => {
      const cost = insertCost(owner, userId, { generation_request_id: requestId, iteration_number: 11 })
      return (await outcomeOf(cost)).code === 'LEO17'
    },
  },
  'public.generation_requests _100_change_status': {
    behaviour: 'attempt rises when a generation is taken',
    holds: async () => (await update('generation_requests', `status = 'generating'`, 'attempt')) === 1,
  },
  'public.generation_requests _100_enqueue': {
    behaviour: 'a generation has the name of its app',
    holds: async () => {
      const named = await outcomeOf(insertRequest(owner, userId, appId))
      return named.code === 'done'
    },
  },
  'public.generation_requests _100_freeze_identity': {
    behaviour: 'the name stays',
    holds: async () => (await outcomeOf(update('generation_requests', `app_name = 'x'`, 'id'))).code === 'LEO06',
  },
  'public.generation_requests _100_touch_updated_at': {
    behaviour: "updated_at is not the writer's",
    holds: isUntouchable('generation_requests'),
  },
  'public.generation_requests _200_limit_user': {
    behaviour: 'a user cannot enqueue what takes more than 100 iterations',
    holds: () => refusesUser('LEO05', () => insertRequest(owner, userId, appId, { max_iterations: 101 })),
  },
  'public.generation_requests _200_limit_user_again': {
    behaviour: 'a user cannot resume into a full queue',
    holds: async () => {
      for (let count = 0; count < 19; count += 1) await insertRequest(owner, userId, appId)
      const paused = await insertRequest(owner, userId, appId, { status: 'paused' })
      const resume = `update generation_requests set status = 'queued' where id = ${paused}`
      return refusesUser('LEO04', () => owner.query(resume))
    },
  },
  'public.generation_requests _900_log_enqueue': {
    behaviour: 'an enqueue is logged',
    holds: logs('generation', 'enqueue', () => insertRequest(owner, userId, appId)),
  },
  'public.generation_requests _900_log_status_change': {
    behaviour: 'a cancellation by the owner is logged',
    holds: logs('generation', 'cancel', async () => {
      await asOwner()
      await owner.query(`update generation_requests set status = 'cancelled'`)
    }),
  },
  'public.generation_requests _900_record_deletion': {
    behaviour: 'a generation that goes is in the books',
    holds: notes('deleted', 'generation_requests', 'delete from public.generation_requests'),
  },
  'public.generation_requests _900_record_event': {
    behaviour: 'a change of status is in the timeline',
    holds: async () => {
      const id = await insertRequest(owner, userId, appId)
      const before = await events(id)
      await owner.query(`update generation_requests set status = 'paused' where id = $1`, [id])
      return (await events(id)) !== before
    },
  },
  'public.generation_requests _900_record_first_event': {
    behaviour: 'a generation begins its timeline',
    holds: async () => (await events(await insertRequest(owner, userId, appId))) === 1,
  },
  'public.generation_requests _900_record_rewriting': {
    behaviour: 'a generation that is rewritten is in the books',
    holds: notes('rewritten', 'generation_requests', `update public.generation_requests set prompt = prompt || '!'`),
  },
  'public.iteration_snapshots _900_record_deletion': {
    behaviour: 'a snapshot that goes is in the books',
    holds: notes('deleted', 'iteration_snapshots', 'delete from public.iteration_snapshots'),
  },
  'public.iteration_snapshots _900_record_rewriting': {
    behaviour: 'a snapshot that is rewritten is in the books',
    holds: notes('rewritten', 'iteration_snapshots', 'update public.iteration_snapshots set iteration_number = iteration_number + 1'),
  },
  'public.schema_snapshots _100_refuse_unknown_iteration': {
    behaviour: 'no tables of an iteration that the generation cannot have',
    holds: async () => {
      const snapshot = insertSchemaSnapshot(owner, userId, requestId, { iteration_number: 11 })
      return (await outcomeOf(snapshot)).code === 'LEO17'
    },
  },
  'public.supabase_projects _100_touch_updated_at': {
    behaviour: "updated_at is not the writer's",
    holds: isUntouchable('supabase_projects'),
  },
  'public.user_profiles _100_merge_preferences': {
    behaviour: 'a patch keeps the other preferences',
    holds: async () => 'theme' in ((await update('user_profiles', `preferences = '{"a": 1}'`, 'preferences')) as Row),
  },
  'public.user_profiles _100_touch_updated_at': {
    behaviour: "updated_at is not the writer's",
    holds: isUntouchable('user_profiles'),
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
    behaviour: "updated_at is not the writer's",
    holds: isUntouchable('user_secrets'),
  },
  'public.user_secrets _500_record_cleanup': {
    behaviour: 'the token of a deleted secret is left to be revoked',
    holds: () => leaves('delete from user_secrets', `select from cleanup_outbox where kind = 'oauth_token'`),
  },
  'public.user_secrets _900_log_connect': {
    behaviour: 'a new connection is logged',
    holds: logs('secret', 'connect', () => insertSecret(owner, userId, 'fly')),
  },
  'public.user_secrets _900_log_remove': {
    behaviour: 'a cut connection is logged',
    holds: logs('secret', 'remove', () => owner.query('delete from user_secrets')),
  },
  'public.user_secrets _900_log_replace': {
    behaviour: 'a token that its owner replaces is logged',
    holds: logs('secret', 'replace', async () => {
      await asOwner()
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

t.test('every trigger of the database is named here', async (t) => {
  t.strictSame(await readTriggers(owner), Object.keys(triggers).sort())
})

t.test('one that is not is noticed', async (t) => {
  const found = await rolledBack(owner, async () => {
    await owner.query(`
      create trigger oops before update on private.error_codes
      for each row execute function suppress_redundant_updates_trigger()`)
    return readTriggers(owner)
  })
  t.ok(found.includes('private.error_codes oops'))
})

for (const [name, { behaviour, holds }] of Object.entries(triggers)) {
  t.test(`${name}: ${behaviour}, and without it this is lost`, async (t) => {
    t.equal(await rolledBack(owner, holds), true)
    const [table, trigger] = name.split(' ')
    const without = await rolledBack(owner, async () => {
      await owner.query(`drop trigger ${trigger} on ${table}`)
      return holds()
    })
    t.equal(without, false)
  })
}
