import t from 'tap'
import {
  asUser,
  FilesNotReadableError,
  parseAppId,
  parseGenerationId,
  parseSnapshotId,
  parseUserId,
  schema_snapshots,
  snapshots,
} from '../../db/index.ts'
import type { SchemaTables } from '../../db/index.ts'
import { decodeFiles, encodeFiles } from '../../db/queries/files.ts'
import { createClients } from '../fixtures/clients.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertApp, insertRequest } from '../fixtures/rows.ts'

const test = await createMigratedDatabase(t)
const { db, serviceDb } = createClients(t, test)
const user_id = parseUserId(await test.signUp())
const other = parseUserId(await test.signUp())
const appId = parseAppId(await insertApp(test.owner, user_id))
const newGeneration = async () => parseGenerationId(await insertRequest(test.owner, user_id, appId))

/** A snapshot without files, as writers of the previous schema may have saved it. */
const insertEmpty = (generation_request_id: number, iteration_number: number) =>
  test.owner.query(
    `insert into iteration_snapshots (user_id, generation_request_id, iteration_number, snapshot_type)
     values ($1, $2, $3, 'manual')`,
    [user_id, generation_request_id, iteration_number],
  )

const odd: Record<string, string> = {
  'b.txt': '',
  'a.txt': 'nul \0 lone \ud800 paired 💥 quote " \\ \u2028 é',
  constructor: 'a file',
  '\0': 'odd path',
  toJSON: 'a file',
}
Object.defineProperty(odd, '__proto__', { value: 'a file too', enumerable: true })

t.test('files are decoded as they were encoded, with any path and content', async (t) => {
  const back = decodeFiles(encodeFiles(odd), parseSnapshotId(1))
  t.strictSame(Object.entries(back), Object.entries(odd), 'in the same order')
  t.equal(Object.getPrototypeOf(back), null)
  t.equal(decodeFiles('{}', parseSnapshotId(1))['constructor'], undefined)
  t.equal(encodeFiles({ a: '1', b: '2' }), '{"a":"1","b":"2"}')
})

t.test('a text that is not a map of strings is an error that names the snapshot and does not quote the text', async (t) => {
  for (const text of [
    '',
    'secret',
    '{"secret"',
    'null',
    '7',
    '"secret"',
    '["secret"]',
    '{"a":7}',
    '{"a":null}',
    '{"a":{"secret":"b"}}',
  ]) {
    try {
      decodeFiles(text, parseSnapshotId(17))
      t.fail(text)
    } catch (error) {
      t.match(error, {
        name: 'FilesNotReadableError',
        code: 'files_not_readable',
        snapshot_id: 17,
        message: /snapshot 17/,
      })
      t.ok(error instanceof FilesNotReadableError && error.cause === undefined)
      t.notMatch(String((error as Error).stack), /secret/)
    }
  }
  for (const content of [undefined, null, 7, () => '']) {
    t.throws(() => encodeFiles({ a: content as never }), { name: 'TypeError' }, 'content that is not a string is not encoded')
  }
})

t.test('a snapshot that a service inserts is read with all its files, or one file', async (t) => {
  const generation_request_id = await newGeneration()
  const iteration = { user_id, generation_request_id, iteration_number: 1, snapshot_type: 'manual' } as const
  const metadata = { tokens: 7, changed: ['a.txt'] }
  const { id, timestamp } = await snapshots.insert(serviceDb, { ...iteration, files: odd, prompt_used: 'p', metadata })
  const ref = { user_id, snapshot_id: id }
  const read = await asUser(db, user_id, (trx) => snapshots.get(trx, ref))
  t.strictSame(Object.entries(read.files!), Object.entries(odd))
  const { user_id: _, ...rest } = iteration
  t.strictSame({ ...read, files: null }, { id, timestamp, ...rest, prompt_used: 'p', metadata, files: null })
  for (const [path, content] of Object.entries(odd))
    t.equal(await snapshots.findFile(serviceDb, { ...ref, path }), content)
  t.equal(await snapshots.findFile(serviceDb, { ...ref, path: 'toString' }), undefined)
  t.equal(await asUser(db, other, (trx) => snapshots.find(trx, ref)), undefined)
  t.equal(await asUser(db, other, (trx) => snapshots.findFile(trx, { ...ref, path: 'b.txt' })), undefined)
  t.equal(await snapshots.find(serviceDb, { ...ref, user_id: other }), undefined, 'a service has to pass the right user')
  await t.rejects(
    asUser(db, other, (trx) => snapshots.get(trx, ref)),
    { code: 'not_found' },
  )
  await t.rejects(snapshots.insert(serviceDb, { ...iteration, user_id: other, files: {} }), {
    code: 'generation_not_found',
  })
})

t.test('snapshots are listed without files, the last saved first', async (t) => {
  const generation_request_id = await newGeneration()
  const generation = { user_id, generation_request_id }
  for (const iteration_number of [0, 1, 2]) {
    await snapshots.insert(serviceDb, {
      ...generation,
      iteration_number,
      snapshot_type: 'automatic',
      files: { n: `${iteration_number}` },
    })
  }
  await insertEmpty(generation_request_id, 3)
  const first = await asUser(db, user_id, (trx) => snapshots.list(trx, { ...generation, limit: 3 }))
  t.match(first.snapshots, [
    { iteration_number: 3, has_files: false },
    { iteration_number: 2, has_files: true },
    { iteration_number: 1 },
  ])
  t.notOk('files' in first.snapshots[0]! || 'files_snapshot' in first.snapshots[0]!)
  t.equal((await snapshots.get(serviceDb, { user_id, snapshot_id: first.snapshots[0]!.id })).files, null)
  const second = await asUser(db, user_id, (trx) => snapshots.list(trx, { ...generation, limit: 3, cursor: first.next }))
  t.match(second, { snapshots: [{ iteration_number: 0 }], next: null })
  t.strictSame(await asUser(db, other, (trx) => snapshots.list(trx, generation)), { snapshots: [], next: null })
})

t.test('a generation resumes from the last saved snapshot, and is restored to an iteration', async (t) => {
  const generation_request_id = await newGeneration()
  const generation = { user_id, generation_request_id }
  const save = (iteration_number: number, file: string, snapshot_type: 'automatic' | 'checkpoint' = 'automatic') =>
    snapshots.insert(serviceDb, { ...generation, iteration_number, snapshot_type, files: { file } })
  const at = async (iteration_number: number) =>
    (await snapshots.findRestorePoint(serviceDb, { ...generation, iteration_number }))?.files['file']
  t.equal(await snapshots.findResumePoint(serviceDb, generation), undefined)
  await save(1, 'one')
  await save(2, 'two')
  await save(2, 'two, marked', 'checkpoint')
  await save(5, 'five')
  await insertEmpty(generation_request_id, 6)
  t.match(
    await snapshots.findResumePoint(serviceDb, generation),
    { iteration_number: 5, files: { file: 'five' } },
    'a snapshot without files is skipped',
  )
  t.strictSame(
    [await at(0), await at(1), await at(2), await at(4), await at(9)],
    [undefined, 'one', 'two, marked', 'two, marked', 'five'],
  )
  await save(3, 'three, after a restore')
  t.match(await asUser(db, user_id, (trx) => snapshots.findResumePoint(trx, generation)), { iteration_number: 3 })
  t.equal(await asUser(db, other, (trx) => snapshots.findResumePoint(trx, generation)), undefined)
})

t.test('a text of a writer of the previous schema is a FilesNotReadableError, and does not abort the transaction', async (t) => {
  const generation_request_id = await newGeneration()
  const generation = { user_id, generation_request_id }
  const { rows } = await test.owner.query(
    `insert into iteration_snapshots (user_id, generation_request_id, iteration_number, snapshot_type, files_snapshot)
     values ($1, $2, 1, 'manual', 'not json') returning id`,
    [user_id, generation_request_id],
  )
  const snapshot_id = parseSnapshotId(rows[0].id)
  await asUser(db, user_id, async (trx) => {
    const unreadable = { name: 'FilesNotReadableError', snapshot_id }
    await t.rejects(snapshots.get(trx, { user_id, snapshot_id }), unreadable)
    await t.rejects(snapshots.findFile(trx, { user_id, snapshot_id, path: 'a' }), unreadable)
    await t.rejects(snapshots.findResumePoint(trx, generation), unreadable)
    t.match(await snapshots.list(trx, generation), { snapshots: [{ id: snapshot_id, has_files: true }] })
  })
})

t.test('schema snapshots: one per iteration, listed without tables, compared for their own user only', async (t) => {
  const generation_request_id = await newGeneration()
  const generation = { user_id, generation_request_id }
  const save = (iteration_number: number, tables: SchemaTables) =>
    schema_snapshots.insert(serviceDb, { ...generation, iteration_number, tables, ddl: '' })
  const books = (...types: string[]): SchemaTables => ({
    books: { columns: types.map((type, at) => ({ name: `c${at}`, type })) },
  })
  const [one, two] = [await save(1, books('text')), await save(2, books('uuid', 'text'))]
  if (one.outcome !== 'inserted' || two.outcome !== 'inserted') return t.fail('not inserted')
  t.strictSame(await save(1, books()), { outcome: 'repeated' })
  const first = await asUser(db, user_id, (trx) => schema_snapshots.list(trx, { ...generation, limit: 1 }))
  t.strictSame(first.schema_snapshots.map(Object.keys), [
    ['id', 'generation_request_id', 'iteration_number', 'created_at'],
  ])
  const second = await asUser(db, user_id, (trx) => schema_snapshots.list(trx, { ...generation, limit: 1, cursor: first.next }))
  t.match(second, { schema_snapshots: [{ id: one.id, iteration_number: 1 }], next: null })
  t.strictSame(
    (await asUser(db, user_id, (trx) => schema_snapshots.get(trx, { user_id, id: one.id }))).tables,
    books('text'),
  )

  const pair = { user_id, from_id: one.id, to_id: two.id }
  t.match(await asUser(db, user_id, (trx) => schema_snapshots.diff(trx, pair)), [
    { table_name: 'books', column_name: 'c0', change: 'changed', before: { type: 'text' }, after: { type: 'uuid' } },
    { table_name: 'books', column_name: 'c1', change: 'added', before: null },
  ])
  t.strictSame(await schema_snapshots.diff(serviceDb, { ...pair, to_id: one.id }), [])
  const hidden: (() => Promise<unknown>)[] = [
    () => asUser(db, other, (trx) => schema_snapshots.diff(trx, pair)),
    () => asUser(db, other, (trx) => schema_snapshots.get(trx, { user_id, id: one.id })),
    () => schema_snapshots.diff(serviceDb, { ...pair, user_id: other }),
    () => schema_snapshots.diff(serviceDb, { ...pair, to_id: 0n }),
  ]
  for (const read of hidden) await t.rejects(read(), { name: 'NotFoundError', code: 'not_found' })
  await t.rejects(save(1000, books()), { code: 'unknown_iteration' })
  await t.rejects(
    schema_snapshots.insert(serviceDb, { ...generation, user_id: other, iteration_number: 1, tables: {}, ddl: '' }),
    { code: 'generation_not_found' },
  )
})
