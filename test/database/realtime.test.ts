import { randomBytes } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { createMigratedDatabase, user } from '../fixtures/database.ts'
import { insertApp, insertRequest } from '../fixtures/rows.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const admin = await db.login(clusterAdmin().user)
const migration = (await readMigrations()).find(({ name }) => name === 'publish_generation_events')!
const up = (): Promise<unknown> => db.owner.query(`begin; ${migration.up}; commit`)
const down = (): Promise<unknown> => db.owner.query(`begin; ${migration.down}; commit`)

async function published(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select tablename as name from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = 'public'`,
  )
  return rows.map(({ name }) => name).sort()
}

/** What a project may have, and what is published before, with and after the migration. */
const variants = [
  { title: 'no publication', create: 'select', before: [], after: [] },
  { title: 'an empty one', create: 'create publication supabase_realtime', before: [], after: [] },
  {
    title: 'one with another table',
    create: 'create publication supabase_realtime for table public.apps',
    before: ['apps'],
    after: ['apps'],
  },
  {
    title: 'one that has it already',
    create: 'create publication supabase_realtime for table public.generation_events',
    before: ['generation_events'],
    after: [],
  },
] as const

for (const { title, create, before, after } of variants) {
  t.test(`${title}: generation_events is published, and others are left alone`, async (t) => {
    await db.owner.query(create)
    t.strictSame(await published(db.owner), before)
    await up()
    const isThere = !create.startsWith('select')
    t.strictSame(await published(db.owner), isThere ? [...new Set([...before, 'generation_events'])] : [])
    await up()
    await down()
    t.strictSame(await published(db.owner), after)
    await db.owner.query('drop publication if exists supabase_realtime')
  })
}

for (const scope of ['all tables', 'tables in schema public']) {
  t.test(`a publication for ${scope} stays as it is`, async (t) => {
    await admin.query(`create publication supabase_realtime for ${scope}`)
    const before = await published(db.owner)
    t.ok(before.includes('generation_events') && before.includes('apps'))
    await up()
    t.strictSame(await published(db.owner), before)
    await down()
    t.strictSame(await published(db.owner), before)
    await admin.query('drop publication supabase_realtime')
  })
}

t.test('a publication of another role is refused, until that role has added the table', async (t) => {
  await admin.query('create publication supabase_realtime')
  await t.rejects(up(), { code: '42501' })
  await db.owner.query('rollback')
  await admin.query('alter publication supabase_realtime add table public.generation_events')
  await t.resolves(up())
  await admin.query('drop publication supabase_realtime')
})

t.test('a change of status is in the stream of the publication, row and all, and nothing else is', async (t) => {
  // The test server commits before it flushes, and only what is flushed is decoded.
  await db.owner.query('set synchronous_commit = on')
  await db.owner.query('create publication supabase_realtime')
  await up()
  const userId = await db.signUp()
  const appId = await insertApp(db.owner, userId)
  const id = await insertRequest(db.owner, userId, appId)

  // Temporary: it goes with the connection, whatever happens here.
  const slot = `realtime_${randomBytes(6).toString('hex')}`
  await db.owner.query(`select pg_create_logical_replication_slot($1, 'pgoutput', true)`, [slot])
  t.teardown(() => db.owner.query('select pg_drop_replication_slot($1)', [slot]))
  await db.owner.query(`update apps set app_name = 'Not published' where id = $1`, [appId])
  await db.as(user(userId), (client) =>
    client.query(`update generation_requests set status = 'paused' where id = $1`, [id]),
  )

  const { rows } = await db.owner.query<{ data: Buffer }>(
    `select data from pg_logical_slot_peek_binary_changes($1, null, null,
       'proto_version', '1', 'publication_names', 'supabase_realtime')`,
    [slot],
  )
  const event = { from_status: 'queued', to_status: 'paused', actor: 'user', acting_user_id: userId, reason: null }
  const changes = readChanges(rows.map(({ data }) => data))
  t.match(changes, [
    { table: 'public.generation_events', row: { ...event, user_id: userId, generation_request_id: String(id) } },
  ])
  t.equal(changes.length, 1)
})

interface Change {
  readonly table: string
  readonly row: Readonly<Record<string, string | null>>
}

/** The inserts of a stream of pgoutput, version 1; any other change has no row. */
function readChanges(messages: readonly Buffer[]): Change[] {
  const relations = new Map<number, { table: string; columns: string[] }>()
  const changes: Change[] = []
  for (const message of messages) {
    let at = 1
    const integer = (bytes: number): number => message.readUIntBE((at += bytes) - bytes, bytes)
    const text = (): string => message.toString('utf8', at, (at = message.indexOf(0, at) + 1) - 1)
    const type = message.toString('latin1', 0, 1)
    if (type === 'R') {
      const id = integer(4)
      const table = `${text()}.${text()}`
      at += 1
      const columns = Array.from({ length: integer(2) }, () => {
        at += 1
        const name = text()
        at += 8
        return name
      })
      relations.set(id, { table, columns })
    } else if ('IUDT'.includes(type)) {
      const { table, columns } = relations.get(integer(4))!
      at += 1
      const count = type === 'I' ? integer(2) : 0
      const values = Array.from({ length: count }, () => {
        if (message.toString('latin1', at, ++at) === 'n') return null
        const length = integer(4)
        return message.toString('utf8', at, (at += length))
      })
      changes.push({ table, row: Object.fromEntries(values.map((value, index) => [columns[index], value])) })
    }
  }
  return changes
}
