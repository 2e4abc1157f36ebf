import t from 'tap'
import type pg from 'pg'
import { assume, createTestDatabase, user } from './fixtures/database.ts'
import { plaintext, refusalOf, repeats } from './fixtures/leaks.ts'
import { outcomeOf, rolledBack } from './fixtures/probe.ts'
import { insertRequest, insertRow, insertTenant, only } from './fixtures/rows.ts'
import type { Row } from './fixtures/rows.ts'

const db = await createTestDatabase(t)
const { owner } = db
const { userId, appId } = await insertTenant(db)
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

const events = async (id: number): Promise<number | null> =>
  (await owner.query('select from generation_events where generation_request_id = $1', [id])).rowCount

/** Every trigger of the schema; the behaviour itself is specified in the test of its table. */
const triggers: Readonly<Record<string, Trigger>> = {
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
  'public.generation_requests _900_record_first_event': {
    behaviour: 'a generation begins its timeline',
    holds: async () => (await events(await insertRequest(owner, userId, appId))) === 1,
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
  'public.deployment_config _100_lock_history': {
    behaviour: 'a writer of config holds the end of the chain before any row',
    holds: async () => {
      await owner.query(`update deployment_config set value = 'x' where false`)
      return (await bystander.query('select from private.audit_heads for update skip locked')).rowCount === 0
    },
  },
  'public.deployment_config _900_record_history': {
    behaviour: 'a setting is in the history',
    holds: async () => {
      await insertRow(owner, 'deployment_config', { key: 'a', value: 'x' })
      return (await owner.query(`select from deployment_config_history where key = 'a'`)).rowCount === 1
    },
  },
  'public.user_secrets _100_touch_updated_at': {
    behaviour: "updated_at is not the writer's",
    holds: isUntouchable('user_secrets'),
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
