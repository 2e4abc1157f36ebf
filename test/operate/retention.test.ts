import t from 'tap'
import { aged, kept } from '../../scripts/operate/retention/policy.ts'
import { compareWithPolicy, deleteDue, lookForDue, readRules } from '../../scripts/operate/retention/retention.ts'
import type { RetentionOptions } from '../../scripts/operate/retention/retention.ts'
import { runScript } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertRequest, only } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const userId = await db.signUp()
const appId = await insertApp(owner, userId)

const rules = readRules()
const retain = async (options: RetentionOptions = {}) => {
  // It sets what only its own session should have.
  const client = await db.login('postgres')
  return deleteDue(client, await lookForDue(client, rules), options)
}
const due = async () => (await lookForDue(owner, rules)).map((found) => found.due)
const ids = async (table: string): Promise<number[]> =>
  (await owner.query<{ id: string }>(`select id from ${table} order by id`)).rows.map(({ id }) => Number(id))

/** Entries with these ids, so many days old. */
const log = (ages: Readonly<Record<number, number>>) =>
  owner.query(
    `insert into user_activity_log (id, user_id, action, object_type, object_id, created_at)
     select key::bigint, $1, 'create', 'app', 'x', now() - value::integer * interval '1 day' from jsonb_each_text($2)`,
    [userId, JSON.stringify(ages)],
  )

t.beforeEach(() =>
  owner.query('delete from generation_requests; delete from cleanup_outbox; delete from user_activity_log'),
)

t.test('the policy names every table, once', async (t) => {
  t.strictSame(await compareWithPolicy(owner), { forgotten: [], missing: [] })
  t.strictSame(Object.keys(aged).filter((table) => table in kept), [])
})

t.test('a table that the policy forgets is noticed', async (t) => {
  const { forgotten } = await rolledBack(owner, async () => {
    await owner.query('create table forgotten (id int); create table private.forgotten (id int)')
    return compareWithPolicy(owner)
  })
  t.strictSame(forgotten, ['private.forgotten', 'public.forgotten'])
})

t.test('old entries of the log go, whatever the order of their ids', async (t) => {
  await log({ 1: 1, 2: 399, 3: 401, 4: 1, 5: 800, 6: 0 })
  t.strictSame(await due(), [2, 0, 0])
  const [found] = await lookForDue(owner, rules)
  const { day } = only(
    await owner.query<{ day: string }>(`select (now() at time zone 'UTC' - interval '800 days')::date::text as day`),
  )
  t.match(found, { rows: 6, oldest: day })
  t.strictSame(await ids('user_activity_log'), [1, 2, 3, 4, 5, 6], 'a look deletes nothing')

  const { isDone, deleted } = await retain()
  t.ok(isDone)
  t.strictSame([...deleted], [['public.user_activity_log', 2]])
  t.strictSame(await ids('user_activity_log'), [1, 2, 4, 6])
})

t.test('a timeline goes once its generation has been finished for long enough', async (t) => {
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
  await retain()
  const { rows } = await owner.query<{ id: number; count: number }>(
    'select generation_request_id as id, count(*)::integer from generation_events group by 1 order by 1',
  )
  const one = (id: number) => ({ id, count: 1 })
  t.strictSame(rows, [one(old), one(recent), one(running)], 'of the old one its young event')
})

t.test('clean-ups go some time after they finished, open ones never', async (t) => {
  await owner.query(`
    insert into cleanup_outbox (id, kind, target, created_at, finished_at)
    select id, 'fly_app', 'https://x.fly.dev', now() - interval '90 days', now() - days * interval '1 day'
    from (values (1, null), (2, 29), (3, 31), (4, null), (5, 60)) as c (id, days)`)
  await retain()
  t.strictSame(await ids('cleanup_outbox'), [1, 2, 4])
})

t.test('a stopped run leaves the rest, and the next one takes it', async (t) => {
  await log(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [index + 1, 500])))
  const abort = new AbortController()
  const stopped = await retain({ signal: abort.signal, report: () => abort.abort() })
  t.notOk(stopped.isDone)
  const rest = await ids('user_activity_log')
  t.ok(rest.length > 0 && rest.length < 1000, 'one batch is gone')
  t.strictSame(rest, Array.from(rest, (_, index) => index + 1001 - rest.length), 'the oldest')
  const { isDone, deleted } = await retain()
  t.ok(isDone)
  t.strictSame([...deleted], [['public.user_activity_log', rest.length]])
})

t.test('a row that somebody holds is waited for', async (t) => {
  await log({ 1: 500, 2: 500 })
  const holder = await db.login('postgres')
  await holder.query('begin; select from user_activity_log where id = 2 for update')
  const run = retain()
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.strictSame(await ids('user_activity_log'), [1, 2])
  await holder.query('rollback')
  await run
  t.strictSame(await ids('user_activity_log'), [])
})

t.test('ages can be others for a run', async (t) => {
  const ages = (text?: string) => readRules(text).map(({ table, days }) => [table, days])
  t.strictSame(Object.keys(aged), ages().map(([table]) => table))
  t.strictSame(ages('cleanup_outbox=7d, user_activity_log=90d'), [
    ['public.user_activity_log', 90],
    ['public.generation_events', 400],
    ['public.cleanup_outbox', 7],
  ])
  for (const bad of ['cleanup_outbox', 'cleanup_outbox=0d', 'cleanup_outbox=-1d', 'cleanup_outbox=90', 'apps=90d']) {
    t.throws(() => ages(bad), { name: 'Failure' }, bad)
  }
})

t.test('the command deletes only what was confirmed', async (t) => {
  await log({ 1: 1, 2: 100, 3: 500 })
  const [dry, wrong] = await Promise.all([
    runScript(db, 'retention', ['--age=user_activity_log=90d']),
    runScript(db, 'retention', [], { CONFIRM: 'another' }),
  ])
  t.match(dry, { code: 0, stdout: /user_activity_log: 2 of 3 rows older than 90 days.*nothing was deleted/s }, dry.stderr)
  t.equal(wrong.code, 1)
  t.strictSame(await ids('user_activity_log'), [1, 2, 3])

  const done = await runScript(db, 'retention', ['--age=user_activity_log=90d'], { CONFIRM: db.name })
  t.match(done, { code: 0, stdout: /user_activity_log: 2 rows deleted/ }, done.stderr)
  t.strictSame(await ids('user_activity_log'), [1])
})
