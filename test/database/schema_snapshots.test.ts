import { randomInt } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { createMigratedDatabase, service, user } from '../fixtures/database.ts'
import { insertRequest, insertSchemaSnapshot, insertTenant } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const own = await insertTenant(db)
const other = await insertTenant(db)

type Columns = readonly { readonly name: string; readonly type: string }[]
type Tables = Readonly<Record<string, { readonly columns: Columns; readonly note?: string }>>

const columns = (...names: string[]): Columns => names.map((name) => ({ name, type: 'text' }))

/** Inserts a snapshot of a new generation. */
async function insertSnapshotOf(tables: Tables, { userId, appId } = own): Promise<string> {
  return insertSchemaSnapshot(db.owner, userId, await insertRequest(db.owner, userId, appId), { tables })
}

interface Difference {
  readonly table_name: string
  readonly column_name: string | null
  readonly change: 'added' | 'removed' | 'changed'
  readonly before: unknown
  readonly after: unknown
}

const diff = async (client: pg.Client, from: string, to: string): Promise<Difference[]> =>
  (await client.query<Difference>('select * from diff_schema_snapshots($1, $2)', [from, to])).rows

t.test('a user reads the snapshots of their own generations only', async (t) => {
  const all = 'select distinct user_id from schema_snapshots'
  t.strictSame((await db.as(user(own.userId), (client) => client.query(all))).rows, [{ user_id: own.userId }])
  t.equal((await db.owner.query(all)).rowCount, 2, 'the other user has a snapshot too')
})

t.test('a service can insert a snapshot, a user cannot', async (t) => {
  const add = (client: pg.Client) => insertSchemaSnapshot(client, own.userId, own.requestId, { iteration_number: 2 })
  await t.rejects(db.as(user(own.userId), add), { code: '42501' })
  await t.resolves(db.tryAs(service, add))
})

t.test('no role other than the owner can update, delete or truncate snapshots', async (t) => {
  const worker = await db.login(logins.leo_worker)
  const statements = [`update schema_snapshots set ddl = ''`, 'delete from schema_snapshots', 'truncate schema_snapshots']
  for (const statement of statements) {
    await t.rejects(db.as(user(own.userId), (client) => client.query(statement)), { code: '42501' })
    await t.rejects(db.as(service, (client) => client.query(statement)), { code: '42501' })
    await t.rejects(worker.query(statement), { code: '42501' })
  }
  t.equal((await worker.query('select from schema_snapshots')).rowCount, 2)
})

t.test('the iteration is between 0 and the maximum of the generation, and has at most one snapshot', async (t) => {
  const requestId = await insertRequest(db.owner, own.userId, own.appId, { max_iterations: 3 })
  const add = (iteration_number: number) =>
    db.as(service, (client) => insertSchemaSnapshot(client, own.userId, requestId, { iteration_number }))
  for (const iteration of [0, 3]) await t.resolves(add(iteration), `${iteration}`)
  await t.rejects(add(4), { code: 'LEO17', table: 'schema_snapshots', column: 'iteration_number' })
  await t.rejects(add(-1), { code: '23514', constraint: 'schema_snapshots_iteration_number_not_negative_check' })
  const taken = { code: '23505', constraint: 'schema_snapshots_user_id_generation_request_id_iteration_number' }
  await t.rejects(add(3), taken)
})

t.test("the error for another user's generation does not reveal its number of iterations", async (t) => {
  const refused = { code: '23503', constraint: 'schema_snapshots_user_id_generation_request_id_fkey' }
  for (const iteration_number of [1, 1000]) {
    const insert = (client: pg.Client) => insertSchemaSnapshot(client, own.userId, other.requestId, { iteration_number })
    await t.rejects(db.as(service, insert), refused)
  }
})

t.test('deleting a generation deletes its snapshots', async (t) => {
  const gone = await insertTenant(db)
  const count = 'select from schema_snapshots where user_id = any ($1)'
  const both = [[gone.userId, other.userId]]
  t.equal((await db.owner.query(count, both)).rowCount, 2)
  await db.as(service, (client) => client.query('delete from generation_requests where id = $1', [gone.requestId]))
  t.equal((await db.owner.query(count, both)).rowCount, 1)
})

t.test('diff_schema_snapshots() returns the tables and columns that were added, removed or changed', async (t) => {
  const from = await insertSnapshotOf({
    same: { columns: columns('id') },
    gone: { columns: columns('id') },
    notes: { columns: [...columns('id', 'text', 'size')], note: 'old' },
  })
  const to = await insertSnapshotOf({
    same: { columns: columns('id') },
    empty: { columns: [] },
    notes: { columns: [{ name: 'size', type: 'int' }, ...columns('id', 'title')], note: 'new' },
  })
  const text = (name: string) => ({ name, type: 'text' })
  const expected: Difference[] = [
    { table_name: 'empty', column_name: null, change: 'added', before: null, after: { columns: [] } },
    { table_name: 'gone', column_name: null, change: 'removed', before: { columns: columns('id') }, after: null },
    { table_name: 'notes', column_name: null, change: 'changed', before: { note: 'old' }, after: { note: 'new' } },
    { table_name: 'notes', column_name: 'size', change: 'changed', before: text('size'), after: { name: 'size', type: 'int' } },
    { table_name: 'notes', column_name: 'text', change: 'removed', before: text('text'), after: null },
    { table_name: 'notes', column_name: 'title', change: 'added', before: null, after: text('title') },
  ]
  t.strictSame(await db.as(user(own.userId), (client) => diff(client, from, to)), expected)
  t.strictSame(await db.as(service, (client) => diff(client, from, to)), expected)
  t.strictSame(await diff(db.owner, from, from), [], 'a snapshot does not differ from itself')
})

t.test('diff_schema_snapshots() returns no rows if the caller cannot read both snapshots', async (t) => {
  const mine = await insertSnapshotOf({ a: { columns: columns('id') } })
  const theirs = await insertSnapshotOf({ b: { columns: columns('id') } }, other)
  for (const [from, to] of [[mine, theirs], [theirs, mine], [theirs, theirs], [mine, '0']] as const) {
    t.strictSame(await db.as(user(own.userId), (client) => diff(client, from, to)), [])
  }
  t.strictSame(await db.as({ role: 'authenticated' }, (client) => diff(client, mine, theirs)), [])
  await t.rejects(db.as({ role: 'anon' }, (client) => diff(client, mine, theirs)), { code: '42501' })
  t.equal((await db.as(service, (client) => diff(client, mine, theirs))).length, 2, 'a service can read both')
})

t.test('diff_schema_snapshots() agrees with a comparison in TypeScript for random snapshots', async (t) => {
  const names = ['a', 'B', 'é', '', '__proto__', 'a.b', `"'$`]
  const subset = <T>(values: readonly T[]): T[] => values.filter(() => randomInt(2) === 0)
  const randomTables = (): Tables =>
    Object.fromEntries(
      subset(names).map((table) => [table, { columns: subset(names).map((name) => ({ name, type: `t${randomInt(2)}` })) }]),
    )
  const text = (change: unknown) => JSON.stringify(change)
  for (let round = 0; round < 20; round += 1) {
    const [before, after] = [randomTables(), randomTables()]
    const found = await diff(db.owner, await insertSnapshotOf(before), await insertSnapshotOf(after))
    const changes = found.map(({ table_name, column_name, change }) => [table_name, column_name, change])
    t.strictSame(changes.map(text).sort(), compare(before, after).map(text).sort())
  }
})

type Change = readonly [table: string, column: string | null, change: string]

function compare(before: Tables, after: Tables): Change[] {
  const [tablesBefore, tablesAfter] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  return [...new Set([...tablesBefore.keys(), ...tablesAfter.keys()])].flatMap((table): Change[] => {
    const [earlier, later] = [tablesBefore.get(table), tablesAfter.get(table)]
    if (!earlier) return [[table, null, 'added']]
    if (!later) return [[table, null, 'removed']]
    const types = ({ columns }: { columns: Columns }) => new Map(columns.map(({ name, type }) => [name, type]))
    const [typesBefore, typesAfter] = [types(earlier), types(later)]
    return [...new Set([...typesBefore.keys(), ...typesAfter.keys()])]
      .filter((column) => typesBefore.get(column) !== typesAfter.get(column))
      .map((column) => {
        const change = !typesBefore.has(column) ? 'added' : !typesAfter.has(column) ? 'removed' : 'changed'
        return [table, column, change]
      })
  })
}
