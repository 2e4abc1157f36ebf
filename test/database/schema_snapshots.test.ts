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

/** A snapshot of a generation of its own. */
async function take(tables: Tables, { userId, appId } = own): Promise<string> {
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
  t.equal((await db.owner.query(all)).rowCount, 2, "there is another's too")
})

t.test('a service takes a snapshot, a user does not', async (t) => {
  const add = (client: pg.Client) => insertSchemaSnapshot(client, own.userId, own.requestId, { iteration_number: 2 })
  await t.rejects(db.as(user(own.userId), add), { code: '42501' })
  await t.resolves(db.tryAs(service, add))
})

t.test('a snapshot is never changed or deleted by anyone who logs in', async (t) => {
  const worker = await db.login(logins.leo_worker)
  const statements = [`update schema_snapshots set ddl = ''`, 'delete from schema_snapshots', 'truncate schema_snapshots']
  for (const statement of statements) {
    await t.rejects(db.as(user(own.userId), (client) => client.query(statement)), { code: '42501' })
    await t.rejects(db.as(service, (client) => client.query(statement)), { code: '42501' })
    await t.rejects(worker.query(statement), { code: '42501' })
  }
  t.equal((await worker.query('select from schema_snapshots')).rowCount, 2)
})

t.test('an iteration is one that the generation can have, and is taken once', async (t) => {
  const requestId = await insertRequest(db.owner, own.userId, own.appId, { max_iterations: 3 })
  const add = (iteration_number: number) =>
    db.as(service, (client) => insertSchemaSnapshot(client, own.userId, requestId, { iteration_number }))
  for (const known of [0, 3]) await t.resolves(add(known), `${known}`)
  await t.rejects(add(4), { code: 'LEO17', table: 'schema_snapshots', column: 'iteration_number' })
  await t.rejects(add(-1), { code: '23514', constraint: 'schema_snapshots_iteration_number_not_negative_check' })
  const taken = { code: '23505', constraint: 'schema_snapshots_user_id_generation_request_id_iteration_number' }
  await t.rejects(add(3), taken)
})

t.test("of another's generation nothing is told, not even how many iterations it has", async (t) => {
  const refused = { code: '23503', constraint: 'schema_snapshots_user_id_generation_request_id_fkey' }
  for (const iteration_number of [1, 1000]) {
    const across = (client: pg.Client) => insertSchemaSnapshot(client, own.userId, other.requestId, { iteration_number })
    await t.rejects(db.as(service, across), refused)
  }
})

t.test('a snapshot goes with its generation', async (t) => {
  const gone = await insertTenant(db)
  const count = 'select from schema_snapshots where user_id = any ($1)'
  const both = [[gone.userId, other.userId]]
  t.equal((await db.owner.query(count, both)).rowCount, 2)
  await db.as(service, (client) => client.query('delete from generation_requests where id = $1', [gone.requestId]))
  t.equal((await db.owner.query(count, both)).rowCount, 1)
})

t.test('a difference names tables and columns that were added, removed or changed', async (t) => {
  const from = await take({
    same: { columns: columns('id') },
    gone: { columns: columns('id') },
    notes: { columns: [...columns('id', 'text', 'size')], note: 'old' },
  })
  const to = await take({
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
  t.strictSame(await diff(db.owner, from, from), [], 'of a snapshot with itself there is none')
})

t.test('a snapshot that the caller may not see differs from nothing', async (t) => {
  const mine = await take({ a: { columns: columns('id') } })
  const theirs = await take({ b: { columns: columns('id') } }, other)
  for (const [from, to] of [[mine, theirs], [theirs, mine], [theirs, theirs], [mine, '0']] as const) {
    t.strictSame(await db.as(user(own.userId), (client) => diff(client, from, to)), [])
  }
  t.strictSame(await db.as({ role: 'authenticated' }, (client) => diff(client, mine, theirs)), [])
  await t.rejects(db.as({ role: 'anon' }, (client) => diff(client, mine, theirs)), { code: '42501' })
  t.equal((await db.as(service, (client) => diff(client, mine, theirs))).length, 2, 'for whoever sees both there is one')
})

t.test('any two sets of tables differ by what a plain comparison finds', async (t) => {
  const names = ['a', 'B', 'é', '', '__proto__', 'a.b', `"'$`]
  const some = <T>(values: readonly T[]): T[] => values.filter(() => randomInt(2) === 0)
  const random = (): Tables =>
    Object.fromEntries(
      some(names).map((table) => [table, { columns: some(names).map((name) => ({ name, type: `t${randomInt(2)}` })) }]),
    )
  const text = (change: unknown) => JSON.stringify(change)
  for (let round = 0; round < 20; round += 1) {
    const [before, after] = [random(), random()]
    const found = await diff(db.owner, await take(before), await take(after))
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
