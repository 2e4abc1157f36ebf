import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { adopt } from '../../scripts/upgrade/adopt/adopt.ts'
import { backfill } from '../../scripts/upgrade/backfill.ts'
import { withClient } from '../../scripts/core/connect.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { fillLegacyDatabase } from '../../scripts/upgrade/legacy-database.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { outcomeOf } from '../fixtures/probe.ts'
import { only, type Row } from '../fixtures/rows.ts'
import { contracted, expanded, expand, finished, giveWord, contract, run, contractQuickly, clone, createLegacy, signUp, insertRequest, insertSnapshot, column, appNames, request, snapshot, originals, quarantined } from '../fixtures/legacy.ts'

const legacy = await createLegacy(t)
/** The same, empty and expanded: old writers still write, nothing is backfilled. */
const empty = await clone(t, legacy)
await expand(empty)

// --- Dirty data, and what becomes of it

t.test('dirty data', async (t) => {
  const live = await clone(t, legacy)
  const { owner } = live
  const checks: Array<[title: string, check: (t: Test) => Promise<unknown>]> = []
  const answers: Array<[appId: string, userId: string]> = []
  /** All cases share one upgrade; each has users of its own. */
  const dirty = async <T>(
    title: string,
    arrange: (userId: string) => Promise<T>,
    check: (t: Test, rows: T, userId: string) => Promise<unknown>,
  ): Promise<void> => {
    const userId = await signUp(owner)
    const rows = await arrange(userId)
    checks.push([title, (t) => check(t, rows, userId)])
  }
  const log = (table: string, id: number) => originals(owner, table, id)

  await dirty(
    'of several apps with one name the oldest keeps it, the others are numbered',
    async (userId) => {
      // The oldest is not the one with the lowest id.
      await insertRequest(owner, { user_id: userId, app_name: 'Todo', created_at: '2025-02-03' })
      await insertRequest(owner, { user_id: userId, app_name: 'Todo', created_at: '2025-02-01' })
      await insertRequest(owner, { user_id: userId, app_name: 'Todo', created_at: '2025-02-02' })
    },
    async (t, _, userId) => t.strictSame(await appNames(owner, userId), ['Todo', 'Todo (2)', 'Todo (3)']),
  )

  await dirty(
    'a number that another app has for its name is skipped',
    async (userId) => {
      await insertRequest(owner, { user_id: userId, app_name: 'Todo', created_at: '2025-02-01' })
      await insertRequest(owner, { user_id: userId, app_name: 'Todo', created_at: '2025-02-02' })
      await insertRequest(owner, { user_id: userId, app_name: 'Todo (2)', created_at: '2025-02-03' })
    },
    async (t, _, userId) => t.strictSame(await appNames(owner, userId), ['Todo', 'Todo (3)', 'Todo (2)']),
  )

  await dirty(
    'several users may each have an app of one name',
    async (userId) => {
      const other = await signUp(owner)
      for (const user_id of [userId, other]) await insertRequest(owner, { user_id, app_name: 'Todo' })
      return other
    },
    async (t, other, userId) => {
      t.strictSame(await appNames(owner, userId), ['Todo'])
      t.strictSame(await appNames(owner, other), ['Todo'])
    },
  )

  await dirty(
    'an app whose requests bear several names has the latest that is not blank; each request keeps its own',
    async (user_id) => {
      const app = { user_id, app_id: randomUUID() }
      return [
        await insertRequest(owner, { ...app, app_name: 'Third', created_at: '2025-02-03' }),
        await insertRequest(owner, { ...app, app_name: 'First', created_at: '2025-02-01' }),
        await insertRequest(owner, { ...app, app_name: ' \t', created_at: '2025-02-04' }),
      ]
    },
    async (t, ids, userId) => {
      t.strictSame(await appNames(owner, userId), ['Third'])
      for (const [index, name] of ['Third', 'First', 'Untitled app'].entries()) {
        t.match(await request(owner, ids[index]!), { app_name: name })
      }
    },
  )

  await dirty(
    'an app that several users claim is quarantined with its snapshots while nobody has said whose it is',
    async (userId) => {
      const app_id = randomUUID()
      const mine = await insertRequest(owner, { user_id: userId, app_id })
      const theirs = await insertRequest(owner, { user_id: await signUp(owner), app_id })
      return { app_id, mine, theirs, saved: await insertSnapshot(owner, mine) }
    },
    async (t, { app_id, mine, theirs, saved }, userId) => {
      for (const id of [mine, theirs]) {
        t.equal(await request(owner, id), undefined)
        t.match(await quarantined(owner, 'generation_requests', id), { reason: /several users/, content: { id, app_id } })
      }
      t.match(await quarantined(owner, 'iteration_snapshots', saved), {
        reason: /in quarantine/,
        content: { id: saved, generation_request_id: mine, files_snapshot: '{"index.html":"<h1>Books</h1>"}' },
      })
      t.strictSame(await appNames(owner, userId), [])
    },
  )

  await dirty(
    'an app that several users claim goes to the one whom the operator names; the others are quarantined',
    async (userId) => {
      const app_id = randomUUID()
      answers.push([app_id, userId])
      const mine = await insertRequest(owner, { user_id: userId, app_id, app_name: 'Yours' })
      const theirs = await insertRequest(owner, { user_id: await signUp(owner), app_id, app_name: 'Mine!' })
      return { mine, theirs }
    },
    async (t, { mine, theirs }, userId) => {
      t.strictSame(await appNames(owner, userId), ['Yours'])
      t.match(await request(owner, mine), { user_id: userId })
      t.match(await quarantined(owner, 'generation_requests', theirs), { content: { app_name: 'Mine!' } })
    },
  )

  await dirty(
    'a row of a user who is gone makes no app contested',
    async (userId) => {
      const app_id = randomUUID()
      await insertRequest(owner, { user_id: randomUUID(), app_id })
      return insertRequest(owner, { user_id: userId, app_id })
    },
    async (t, id, userId) => t.match(await request(owner, id), { user_id: userId }),
  )

  await dirty(
    'requests without an app get one each, by name or not, with an id that follows from the request',
    async (user_id) => [
      await insertRequest(owner, { user_id, app_id: null, app_name: 'Books', created_at: '2025-02-01' }),
      await insertRequest(owner, { user_id, app_id: null, app_name: 'Books', created_at: '2025-02-02' }),
    ],
    async (t, ids, userId) => {
      t.strictSame(await appNames(owner, userId), ['Books', 'Books (2)'])
      for (const id of ids) {
        const expected = only(await owner.query<Row>('select private.app_id_of_request($1) as app_id', [id]))
        t.match(await request(owner, id), expected)
        t.strictSame(await log('generation_requests', id), { app_id: null })
      }
    },
  )

  await dirty(
    'a name with nothing to see in it becomes Untitled app, numbered like any other',
    async (user_id) => {
      const blank = [null, '', '   ', '\t\n', '\u00a0', '\u200b\u200d', '\u3164']
      const ids: Array<[number, string | null]> = []
      for (const [day, app_name] of blank.entries()) {
        ids.push([await insertRequest(owner, { user_id, app_name, created_at: `2025-02-0${day + 1}` }), app_name])
      }
      return ids
    },
    async (t, ids, userId) => {
      const numbered = ids.map((_, index) => (index === 0 ? 'Untitled app' : `Untitled app (${index + 1})`))
      t.strictSame(await appNames(owner, userId), numbered)
      for (const [id, app_name] of ids) t.strictSame(await log('generation_requests', id), { app_name })
    },
  )

  const distinct = ['Cafe', 'cafe', 'Caf\u00e9', 'Cafe\u0301', 'Cafe ']
  await dirty(
    'names that differ in case, in Unicode form or in a space stay as they are',
    async (user_id) => {
      for (const [day, app_name] of distinct.entries()) {
        await insertRequest(owner, { user_id, app_name, created_at: `2025-02-0${day + 1}` })
      }
    },
    async (t, _, userId) => t.strictSame(await appNames(owner, userId), distinct),
  )

  const long = '\u{1f4da}'.repeat(119) + 'xyz'
  await dirty(
    'a name that is too long is cut, before the suffix too; the request keeps it whole',
    async (user_id) => [
      await insertRequest(owner, { user_id, app_name: long, created_at: '2025-02-01' }),
      await insertRequest(owner, { user_id, app_name: long + '!', created_at: '2025-02-02' }),
    ],
    async (t, [first, second], userId) => {
      t.strictSame(await appNames(owner, userId), ['\u{1f4da}'.repeat(119) + 'x', '\u{1f4da}'.repeat(116) + ' (2)'])
      t.match(await request(owner, first!), { app_name: long })
      t.match(await request(owner, second!), { app_name: long + '!' })
    },
  )

  await dirty(
    'a request of nobody, or of a user who is gone, is quarantined whole; no user is invented',
    async () => {
      const gone = randomUUID()
      return { gone, nobodys: await insertRequest(owner, { user_id: null }), lost: await insertRequest(owner, { user_id: gone }) }
    },
    async (t, { gone, nobodys, lost }) => {
      t.match(await quarantined(owner, 'generation_requests', nobodys), {
        reason: 'user_id is null',
        content: { id: nobodys, user_id: null, prompt: 'a list of books', max_iterations: 10 },
      })
      t.match(await quarantined(owner, 'generation_requests', lost), {
        reason: 'user_id is not in auth.users',
        content: { id: lost, user_id: gone, created_at: '2025-03-01T10:00:00+00:00' },
      })
      t.strictSame(await column(owner, 'select id from auth.users where id = $1', [gone]), [])
    },
  )

  await dirty(
    'a time without a zone is read as UTC',
    async (user_id) => {
      const id = await insertRequest(owner, { user_id, created_at: '2025-07-01 12:34:56.789012' })
      return { id, saved: await insertSnapshot(owner, id, { timestamp: '2025-07-01 12:35' }) }
    },
    async (t, { id, saved }) => {
      t.strictSame(
        await column(owner, `select (created_at at time zone 'UTC')::text from generation_requests where id = $1`, [id]),
        ['2025-07-01 12:34:56.789012'],
      )
      t.strictSame((await snapshot(owner, saved))?.['timestamp'], new Date('2025-07-01T12:35:00Z'))
    },
  )

  await dirty(
    'a request completed before it was created, completes when it was created',
    (user_id) => insertRequest(owner, { user_id, completed_at: '2025-03-01 09:00' }),
    async (t, id) => {
      const { created_at, completed_at } = (await request(owner, id))!
      t.strictSame(completed_at, created_at)
      t.strictSame(await log('generation_requests', id), { completed_at: '2025-03-01T09:00:00+00:00' })
    },
  )

  await dirty(
    'a request completed without a time, completed when it last changed',
    (user_id) => insertRequest(owner, { user_id, completed_at: null }),
    async (t, id) => {
      t.match(await request(owner, id), { status: 'completed', completed_at: new Date('2025-03-01T11:00Z') })
      t.strictSame(await log('generation_requests', id), { completed_at: null })
    },
  )

  await dirty(
    'a request that took more iterations than it might, might take them',
    (user_id) => insertRequest(owner, { user_id, current_iteration: 14 }),
    async (t, id) => {
      t.match(await request(owner, id), { current_iteration: 14, max_iterations: 14 })
      t.strictSame(await log('generation_requests', id), { max_iterations: '10' })
    },
  )

  await dirty(
    'a request that still waits has not completed',
    (user_id) => insertRequest(owner, { user_id, status: 'queued', completed_at: '2025-03-01 11:00' }),
    async (t, id) => {
      t.match(await request(owner, id), { status: 'queued', completed_at: null })
      t.strictSame(await log('generation_requests', id), { completed_at: '2025-03-01T11:00:00+00:00' })
    },
  )

  await dirty(
    'a request without a status completed if it says when and no error, and failed otherwise',
    async (user_id) => [
      await insertRequest(owner, { user_id, status: null }),
      await insertRequest(owner, { user_id, status: null, completed_at: null }),
      await insertRequest(owner, { user_id, status: null, error_message: 'It broke.' }),
    ],
    async (t, ids) => {
      for (const [index, status] of ['completed', 'failed', 'failed'].entries()) {
        t.match(await request(owner, ids[index]!), { status })
        t.match(await log('generation_requests', ids[index]!), { status: null })
      }
    },
  )

  await dirty(
    'an address that is not https becomes so, or goes, and is logged',
    (user_id) => insertRequest(owner, { user_id, github_url: ' HTTP://github.com/example/books', deployment_url: 'soon' }),
    async (t, id) => {
      t.match(await request(owner, id), { github_url: 'https://github.com/example/books', deployment_url: null })
      t.strictSame(await log('generation_requests', id), {
        github_url: ' HTTP://github.com/example/books',
        deployment_url: 'soon',
      })
    },
  )

  await dirty(
    'a generation that nobody works on any more is paused when it can be resumed, failed otherwise, never queued again',
    async (user_id) => {
      const generating = { user_id, status: 'generating', completed_at: null }
      const resumable = await insertRequest(owner, generating)
      await insertSnapshot(owner, resumable)
      const dead = await insertRequest(owner, generating)
      const alive = await insertRequest(owner, { ...generating, updated_at: new Date() })
      return { resumable, dead, alive }
    },
    async (t, { resumable, dead, alive }) => {
      t.match(await request(owner, resumable), { status: 'paused', completed_at: null })
      t.match(await request(owner, dead), { status: 'failed', error_message: /./, completed_at: Date })
      t.match(await request(owner, alive), { status: 'generating', completed_at: null })
      t.strictSame(await log('generation_requests', resumable), { status: 'generating' })
      t.strictSame(await log('generation_requests', dead), { status: 'generating', error_message: null, completed_at: null })
      t.strictSame(await log('generation_requests', alive), {})
    },
  )

  await dirty(
    'of identical snapshots the first stays; those that differ all stay',
    async (user_id) => {
      const id = await insertRequest(owner, { user_id })
      return {
        first: await insertSnapshot(owner, id),
        identical: await insertSnapshot(owner, id),
        third: await insertSnapshot(owner, id),
        differs: await insertSnapshot(owner, id, { files_snapshot: '{}' }),
      }
    },
    async (t, { first, identical, third, differs }) => {
      t.ok(await snapshot(owner, first))
      t.ok(await snapshot(owner, differs))
      for (const id of [identical, third]) {
        t.equal(await snapshot(owner, id), undefined)
        t.match(await quarantined(owner, 'iteration_snapshots', id), { reason: /the same/, content: { id } })
      }
    },
  )

  await dirty(
    'a snapshot of no generation is quarantined whole',
    async () => [await insertSnapshot(owner, 999_999), await insertSnapshot(owner, null)],
    async (t, ids) => {
      for (const id of ids) {
        t.equal(await snapshot(owner, id), undefined)
        t.match(await quarantined(owner, 'iteration_snapshots', id), { content: { id, metadata: { tokens: 100 } } })
      }
    },
  )

  const oddFiles = [null, '', 'no JSON', '[]', '{"a":1}', '{"a":"\\u0000"}', '{"a":"1","a":"2"}', '{"../a":"x","/b":"y"}']
  await dirty(
    'files that are no JSON object of strings migrate unchanged',
    async (user_id) => {
      const id = await insertRequest(owner, { user_id })
      const ids: number[] = []
      for (const [iteration_number, files_snapshot] of oddFiles.entries()) {
        ids.push(await insertSnapshot(owner, id, { iteration_number, files_snapshot }))
      }
      return ids
    },
    async (t, ids, user_id) => {
      for (const [index, id] of ids.entries()) {
        t.match(await snapshot(owner, id), { user_id, files_snapshot: oddFiles[index] })
        t.strictSame(await log('iteration_snapshots', id), {})
      }
    },
  )

  await dirty(
    'a snapshot says whose it is; what is missing comes from its generation',
    async (user_id) => {
      const id = await insertRequest(owner, { user_id })
      return insertSnapshot(owner, id, { snapshot_type: null, timestamp: null, metadata: '[1]' })
    },
    async (t, id, user_id) => {
      t.match(await snapshot(owner, id), {
        user_id,
        snapshot_type: 'automatic',
        timestamp: new Date('2025-03-01T10:00Z'),
        metadata: { value: [1] },
      })
      t.strictSame(await log('iteration_snapshots', id), { snapshot_type: null, timestamp: null, metadata: '[1]' })
    },
  )

  await expand(live)
  for (const answer of answers) await owner.query('insert into private.upgrade_owners values ($1, $2)', answer)
  await backfill(owner, { staleAfter: '2 days' })
  await contract(live)

  for (const [title, check] of checks) await t.test(title, check)

  await t.test('the schema is that of a fresh database, valid throughout', async (t) => {
    const fresh = await createMigratedDatabase(t)
    t.equal(await dumpSchema(live.target), await dumpSchema(fresh.target))
    t.strictSame(await column(owner, 'select indexrelid::regclass::text from pg_index where not indisvalid'), [])
    t.strictSame(await column(owner, 'select conname from pg_constraint where not convalidated'), [])
  })
})

// --- The operator's word

t.test('contract waits for the word that the old writers are gone', async (t) => {
  const live = await clone(t, empty)
  await insertRequest(live.owner, { user_id: await signUp(live.owner) })
  await backfill(live.owner)
  const refusal = await migrate(live.target).catch((error: unknown) => error)
  t.type(refusal, Failure)
  t.match(refusal, { message: /LEO10/ })
  t.strictSame(await column(live.owner, 'select max(version) from dbmate.schema_migrations'), [expanded])
  await contractQuickly(live)
})

t.test('naive times are not taken for UTC where the database is in another zone, until the operator names theirs', async (t) => {
  const live = await clone(t, await createLegacy(t))
  const { owner } = live
  const id = await insertRequest(owner, { user_id: await signUp(owner), created_at: '2025-07-01 12:00', completed_at: '2025-12-01 12:00' })
  const saved = await insertSnapshot(owner, id, { timestamp: '2025-07-01 12:30' })
  await owner.query(`alter database ${live.name} set timezone to 'Europe/Berlin'`)
  await t.rejects(migrate(live.target), { name: 'Failure', message: /LEO10/ })

  // As a live database is adopted, not made by the baseline.
  await owner.query('drop table dbmate.schema_migrations')
  await t.rejects(adopt(live.target, { timeZone: 'Europe/Atlantis' }), { name: 'Failure', message: /Atlantis/ })
  t.equal((await adopt(live.target)).outcome, 'adopted')
  t.equal((await adopt(live.target, { timeZone: 'europe/berlin', dryRun: true })).outcome, 'adopted already')
  await t.rejects(migrate(live.target), { name: 'Failure', message: /LEO10/ })
  t.equal((await adopt(live.target, { timeZone: 'europe/berlin' })).outcome, 'adopted already')

  await migrate(live.target, { upTo: expanded })
  t.match(await request(owner, id), { created_at: new Date('2025-07-01T10:00Z'), completed_at: new Date('2025-12-01T11:00Z') })
  t.match(await snapshot(owner, saved), { timestamp: new Date('2025-07-01T10:30Z') })
  await t.rejects(adopt(live.target, { timeZone: 'UTC' }), { name: 'Failure', message: /converted already/ })
})

t.test('naive times of a database in another zone may yet be in UTC, and are then not rewritten', async (t) => {
  const live = await clone(t, await createLegacy(t))
  const { owner } = live
  const id = await insertRequest(owner, { user_id: await signUp(owner), created_at: '2025-07-01 12:00' })
  await owner.query(`alter database ${live.name} set timezone to 'Europe/Berlin'`)
  await owner.query('drop table dbmate.schema_migrations')
  await adopt(live.target, { timeZone: 'UTC' })
  const file = () => column(owner, `select pg_relation_filenode('public.generation_requests')`)
  const before = await file()
  await migrate(live.target, { upTo: expanded })
  t.strictSame(await file(), before)
  t.match(await request(owner, id), { created_at: new Date('2025-07-01T12:00Z') })
})

t.test('a database without rows needs nobody\'s word', async (t) => {
  const live = await clone(t, empty)
  await run(live, expanded, contracted)
  t.strictSame(await column(live.owner, 'select * from private.upgrade_progress where is_finished'), [])
})

t.test('contract refuses a large rest, and takes it once it is backfilled', async (t) => {
  const live = await clone(t, empty)
  await fillLegacyDatabase(live.owner, { seed: 1, users: 10, requests: 100, snapshots: 10_100, dirt: {} })
  await live.owner.query('update public.iteration_snapshots set user_id = null')
  t.match(await outcomeOf(contractQuickly(live)), { code: 'LEO10' })
  await backfill(live.owner)
  await run(live, expanded, contracted)
})

t.test('contract passes over no row that somebody has locked', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const id = await insertRequest(owner, { user_id: await signUp(owner) })
  const saved = await insertSnapshot(owner, id)
  await backfill(owner)
  await giveWord(live)
  // Written meanwhile, so that the last pass has something to do.
  await owner.query('update public.generation_requests set max_iterations = 0 where id = $1', [id])
  await owner.query('update public.iteration_snapshots set user_id = null where id = $1', [saved])
  for (const [table, row] of [['generation_requests', id], ['iteration_snapshots', saved]] as const) {
    await withClient(live.target, async (writer) => {
      await writer.query('begin')
      await writer.query(`select from public.${table} where id = $1 for update`, [row])
      t.match(await outcomeOf(run(live, expanded, finished)), { code: '55P03' }, table)
    })
  }
  await run(live, expanded, contracted)
  t.match(await request(owner, id), { max_iterations: 10 })
})

t.test('a user who is deleted meanwhile takes their apps along; their requests are quarantined', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  const id = await insertRequest(owner, { user_id })
  await backfill(owner)
  await owner.query('delete from auth.users where id = $1', [user_id])
  await contractQuickly(live)
  t.match(await quarantined(owner, 'generation_requests', id), { reason: 'user_id is not in auth.users' })
})

// --- Stopped, and taken up by the contract step

t.test('what a stopped backfill passed over is not forgotten', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const user_id = await signUp(owner)
  // Somebody may still be working on it, so that a first run leaves it.
  const waiting = await insertRequest(owner, { user_id: null, status: 'queued', completed_at: null, updated_at: new Date() })
  await insertRequest(owner, { user_id })
  await owner.query('select private.backfill_contested(), private.backfill_users(10), private.backfill_requests(1)')
  t.ok(await request(owner, waiting))
  await contractQuickly(live)
  t.match(await quarantined(owner, 'generation_requests', waiting), { reason: 'user_id is null' })
})

t.test('an owner may be named after the backfill has been through', async (t) => {
  const live = await clone(t, empty)
  const { owner } = live
  const app_id = randomUUID()
  const user_id = await signUp(owner)
  const done = await insertRequest(owner, { user_id, app_id, app_name: 'Todo' })
  const waiting = await insertRequest(owner, { user_id, app_id, app_name: 'Todo', status: 'queued', completed_at: null, updated_at: new Date() })
  await insertRequest(owner, { user_id: await signUp(owner), app_id })
  await backfill(owner)
  await owner.query('update private.upgrade_owners set user_id = $2 where app_id = $1', [app_id, user_id])
  await backfill(owner)
  await contractQuickly(live)
  t.strictSame(await appNames(owner, user_id), ['Todo'])
  t.ok(await request(owner, waiting))
  t.ok(await request(owner, done))
})

for (const size of [1, 10]) {
  t.test(`which snapshots count as identical does not hang on batches of ${size}, nor on a second run`, async (t) => {
    const live = await clone(t, empty)
    const { owner } = live
    const id = await insertRequest(owner, { user_id: await signUp(owner) })
    const pairs: Array<[first: number, second: number]> = []
    for (const columns of [{ snapshot_type: null }, { metadata: '[1]' }]) {
      const iteration_number = pairs.length
      pairs.push([
        await insertSnapshot(owner, id, { iteration_number, ...columns }),
        await insertSnapshot(owner, id, { iteration_number, ...columns }),
      ])
    }
    await owner.query('select private.backfill_users(10)')
    for (let count = 1; count > 0; ) {
      count = only(await owner.query<{ count: number }>('select private.backfill_snapshots($1) as count', [size])).count
    }
    const left = () => column<number>(owner, 'select id from public.iteration_snapshots order by id')
    t.strictSame(await left(), pairs.map(([first]) => first))
    await backfill(owner)
    t.strictSame(await left(), pairs.map(([first]) => first))
  })
}