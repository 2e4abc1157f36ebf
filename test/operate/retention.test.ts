import t from 'tap'
import { limited, unlimited } from '../../scripts/operate/retention/policy.ts'
import { compareWithPolicy, deleteExpired, findExpired, readRules } from '../../scripts/operate/retention/retention.ts'
import type { RetentionOptions } from '../../scripts/operate/retention/retention.ts'
import { runLeo } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { placeOf } from '../fixtures/place_of.ts'
import { rolledBack, untilAwaited } from '../fixtures/probe.ts'
import { insertApp, insertRequest, only } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const userId = await db.signUp()
const appId = await insertApp(owner, userId)

const rules = readRules()
const applyRetention = async (options: RetentionOptions = {}) => {
  // On a separate connection: it changes session settings.
  const client = await db.login('postgres')
  return deleteExpired(client, await findExpired(client, rules), options)
}
const expiredCounts = async () => (await findExpired(owner, rules)).map(({ expired }) => expired)
const ids = async (table: string): Promise<number[]> =>
  (await owner.query<{ id: string }>(`select id from ${table} order by id`)).rows.map(({ id }) => Number(id))

/** Inserts log entries: id → age in days. */
const insertLog = (ages: Readonly<Record<number, number>>) =>
  owner.query(
    `insert into user_activity_log (id, user_id, action, object_type, object_id, created_at)
     select key::bigint, $1, 'create', 'app', 'x', now() - value::integer * interval '1 day' from jsonb_each_text($2)`,
    [userId, JSON.stringify(ages)],
  )

t.beforeEach(() =>
  owner.query('delete from generation_requests; delete from cleanup_outbox; delete from user_activity_log'),
)

t.test('the policy lists every table once', async (t) => {
  const found = await compareWithPolicy(owner)
  const place = placeOf('scripts/operate/retention/policy.ts', 'export const unlimited')
  t.strictSame(found.unlisted.map((table) => `${place}: add '${table}' with the reason, or add it to limited`), [])
  t.strictSame(found, { unlisted: [], missing: [] })
  t.strictSame(Object.keys(limited).filter((table) => table in unlimited), [])
})

t.test('a table that the policy does not list is found', async (t) => {
  const { unlisted } = await rolledBack(owner, async () => {
    await owner.query('create table unlisted (id int); create table private.unlisted (id int)')
    return compareWithPolicy(owner)
  })
  t.strictSame(unlisted, ['private.unlisted', 'public.unlisted'])
})

t.test('expired log entries are deleted, whatever the order of their ids', async (t) => {
  await insertLog({ 1: 1, 2: 399, 3: 401, 4: 1, 5: 800, 6: 0 })
  t.strictSame(await expiredCounts(), [2, 0, 0])
  const [found] = await findExpired(owner, rules)
  const { day } = only(
    await owner.query<{ day: string }>(`select (now() at time zone 'UTC' - interval '800 days')::date::text as day`),
  )
  t.match(found, { rows: 6, oldest: day })
  t.strictSame(await ids('user_activity_log'), [1, 2, 3, 4, 5, 6], 'counting deletes nothing')

  const { isDone, deleted } = await applyRetention()
  t.ok(isDone)
  t.strictSame([...deleted], [['public.user_activity_log', 2]])
  t.strictSame(await ids('user_activity_log'), [1, 2, 4, 6])
})

t.test('a timeline expires by the end of its generation', async (t) => {
  const generation = async (status: string, finished: number | null) => {
    const id = await insertRequest(owner, userId, appId)
    await owner.query('alter table generation_requests disable trigger user')
    await owner.query(
      `update generation_requests set status = $2::generation_status, created_at = now() - interval '900 days',
         completed_at = now() - $3::integer * interval '1 day' where id = $1`,
      [id, status, finished],
    )
    await owner.query('alter table generation_requests enable trigger user')
    await owner.query(
      `update generation_events set created_at = now() - interval '800 days' where generation_request_id = $1`,
      [id],
    )
    return id
  }
  const old = await generation('completed', 700)
  const recent = await generation('failed', 10)
  const running = await generation('generating', null)
  await owner.query(
    `insert into generation_events (user_id, generation_request_id, to_status, iteration_number, actor)
     values ($1, $2, 'completed', 0, 'system')`,
    [userId, old],
  )
  await applyRetention()
  const { rows } = await owner.query<{ id: number; count: number }>(
    'select generation_request_id as id, count(*)::integer from generation_events group by 1 order by 1',
  )
  const one = (id: number) => ({ id, count: 1 })
  t.strictSame(rows, [one(old), one(recent), one(running)], 'the old generation keeps its recent event')
})

t.test('finished clean-ups expire, unfinished ones do not', async (t) => {
  await owner.query(`
    insert into cleanup_outbox (id, kind, target, created_at, finished_at)
    select id, 'fly_app', 'https://x.fly.dev', now() - interval '90 days', now() - days * interval '1 day'
    from (values (1, null), (2, 29), (3, 31), (4, null), (5, 60)) as c (id, days)`)
  await applyRetention()
  t.strictSame(await ids('cleanup_outbox'), [1, 2, 4])
})

t.test('after a stopped run the next run deletes the rest', async (t) => {
  await insertLog(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [index + 1, 500])))
  const abort = new AbortController()
  const stopped = await applyRetention({ signal: abort.signal, report: () => abort.abort() })
  t.notOk(stopped.isDone)
  const rest = await ids('user_activity_log')
  t.ok(rest.length > 0 && rest.length < 1000, 'one batch is deleted')
  t.strictSame(rest, Array.from(rest, (_, index) => index + 1001 - rest.length), 'the lowest ids are deleted first')
  const { isDone, deleted } = await applyRetention()
  t.ok(isDone)
  t.strictSame([...deleted], [['public.user_activity_log', rest.length]])
})

t.test('a run waits for a locked row', async (t) => {
  await insertLog({ 1: 500, 2: 500 })
  const holder = await db.login('postgres')
  await holder.query('begin; select from user_activity_log where id = 2 for update')
  const run = applyRetention()
  await untilAwaited(holder)
  t.strictSame(await ids('user_activity_log'), [1, 2])
  await holder.query('rollback')
  await run
  t.strictSame(await ids('user_activity_log'), [])
})

t.test('an option overrides the ages of the policy', async (t) => {
  const ages = (text?: string) => readRules(text).map(({ table, days }) => [table, days])
  t.strictSame(Object.keys(limited), ages().map(([table]) => table))
  t.strictSame(ages('cleanup_outbox=7d, user_activity_log=90d'), [
    ['public.user_activity_log', 90],
    ['public.generation_events', 400],
    ['public.cleanup_outbox', 7],
  ])
  for (const bad of ['cleanup_outbox', 'cleanup_outbox=0d', 'cleanup_outbox=-1d', 'cleanup_outbox=90', 'apps=90d']) {
    t.throws(() => ages(bad), { name: 'Failure' }, bad)
  }
})

t.test('the command deletes only when confirmed', async (t) => {
  await insertLog({ 1: 1, 2: 100, 3: 500 })
  const [dry, wrong] = await Promise.all([
    runLeo(db, 'retention', ['--age=user_activity_log=90d']),
    runLeo(db, 'retention', [], { CONFIRM: 'another' }),
  ])
  t.match(dry, { code: 0, stdout: /user_activity_log: 2 of 3 rows older than 90 days.*preview: .*make retention age=user_activity_log=90d CONFIRM=/s }, dry.stderr)
  t.match(wrong, { code: 1, stderr: /CONFIRM is another, but / })
  t.strictSame(await ids('user_activity_log'), [1, 2, 3])

  const done = await runLeo(db, 'retention', ['--age=user_activity_log=90d'], { CONFIRM: db.name })
  t.match(done, { code: 0, stdout: /user_activity_log: 2 rows deleted/ }, done.stderr)
  t.strictSame(await ids('user_activity_log'), [1])
})
