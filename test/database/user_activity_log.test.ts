import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, service, user } from '../fixtures/database.ts'
import type { Persona } from '../fixtures/database.ts'
import { isWaiting, outcomeOf, rolledBack } from '../fixtures/probe.ts'
import { insertApp, insertProfile, insertRequest, insertRow, insertSecret, insertTenant, only, sealed } from '../fixtures/rows.ts'
import type { Row, Tenant } from '../fixtures/rows.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const own = await insertTenant(db)
const other = await insertTenant(db)
const worker = await db.login(logins.leo_worker)

interface Entry {
  readonly user_id: string
  readonly action: string
  readonly object_type: string
  readonly object_id: string
  readonly ip: string | null
  readonly user_agent: string | null
  readonly detail: Row
}

const entries = async (client: pg.Client): Promise<Entry[]> =>
  (await client.query<Entry>('select * from user_activity_log order by id')).rows

const declare = (client: pg.Client, actingUser: string): Promise<unknown> =>
  client.query(`select set_config('leo.acting_user', $1, true)`, [actingUser])

/** Who writes, and how: a user through row security, a service for that user, a service by itself. */
interface Writer {
  readonly name: 'user' | 'on behalf' | 'service'
  readonly client: pg.Client
  readonly become: () => Promise<unknown>
}

const through: Writer = { name: 'user', client: owner, become: () => assume(owner, user(own.userId)) }
const behalf: Writer = { name: 'on behalf', client: worker, become: () => declare(worker, own.userId) }
const writers = [
  through,
  behalf,
  { name: 'service', client: worker, become: () => Promise.resolve() },
] as const satisfies readonly Writer[]

/**
 * What `write` adds to the log, read as the owner would. All of it is taken back: a worker's entries are read by the
 * worker, who may read them all.
 */
async function logged({ client, become }: Writer, write: (client: pg.Client) => Promise<unknown>): Promise<Entry[]> {
  return rolledBack(client, async () => {
    const before = (await entries(client)).length
    await become()
    await write(client)
    if (client === owner) await client.query('reset role')
    return (await entries(client)).slice(before)
  })
}

const status = (id: number, to: string) => async (client: pg.Client) => {
  const { rowCount } = await client.query('update generation_requests set status = $2 where id = $1', [id, to])
  if (rowCount !== 1) throw new Error(`generation ${id} did not become ${to}`)
}
const request = (columns: Row) => insertRequest(owner, own.userId, own.appId, columns)
const queued = await request({ status: 'queued' })
const generating = await request({ status: 'generating' })
const paused = await request({ status: 'paused' })
const failed = await request({ status: 'failed' })
const newcomer = await db.signUp()

interface Mutation {
  readonly title: string
  readonly write: (client: pg.Client) => Promise<unknown>
  readonly action: string
  readonly object?: string
  readonly detail?: Row
  /** Whose writing it is logged for; without it, everyone's. */
  readonly by?: readonly Writer['name'][]
  /** Who may not do it at all. */
  readonly deniedTo?: 'user'
}

const app = { app_id: own.appId }
const people = ['user', 'on behalf'] as const

/** Everything that a person does. */
const mutations: readonly Mutation[] = [
  {
    title: 'create an app',
    write: (c) => insertApp(c, own.userId, 'Films'),
    action: 'app.create',
    detail: { app_name: 'Films' },
  },
  {
    title: 'rename an app',
    write: (c) => c.query(`update apps set app_name = 'Films' where id = $1`, [own.appId]),
    action: 'app.rename',
    object: own.appId,
    detail: { to: 'Films' },
  },
  {
    title: 'delete an app with its generations',
    write: (c) => c.query('delete from apps where id = $1', [own.appId]),
    action: 'app.delete',
    object: own.appId,
  },
  {
    title: 'enqueue',
    write: (c) => insertRequest(c, own.userId, own.appId),
    action: 'generation.enqueue',
    detail: app,
  },
  ...[
    { title: 'pause a queued one', id: queued, to: 'paused', action: 'pause', from: 'queued' },
    { title: 'pause a running one', id: generating, to: 'paused', action: 'pause', from: 'generating' },
    { title: 'resume', id: paused, to: 'queued', action: 'resume', from: 'paused' },
    { title: 'retry', id: failed, to: 'queued', action: 'retry', from: 'failed' },
    { title: 'cancel a queued one', id: queued, to: 'cancelled', action: 'cancel', from: 'queued' },
    { title: 'cancel a running one', id: generating, to: 'cancelled', action: 'cancel', from: 'generating' },
    { title: 'cancel a paused one', id: paused, to: 'cancelled', action: 'cancel', from: 'paused' },
  ].map(({ title, id, to, action, from }) => ({
    ...{ title, write: status(id, to), action: `generation.${action}`, object: `${id}` },
    ...{ detail: { ...app, from }, by: people },
  })),
  {
    title: 'connect a provider',
    write: (c) => insertSecret(c, own.userId, 'fly'),
    action: 'secret.connect',
    detail: { provider: 'fly' },
    deniedTo: 'user',
  },
  {
    title: 'connect a provider anew',
    write: (c) => c.query('update user_secrets set encrypted_token = $2 where id = $1', [own.secretId, sealed()]),
    action: 'secret.replace',
    object: own.secretId,
    detail: { provider: 'github' },
    by: ['on behalf'],
    deniedTo: 'user',
  },
  {
    title: 'connect a provider anew by upsert',
    write: (c) =>
      c.query(
        `insert into user_secrets (user_id, provider, encrypted_token) values ($1, 'github', $2)
         on conflict (user_id, provider) do update set encrypted_token = excluded.encrypted_token`,
        [own.userId, sealed()],
      ),
    action: 'secret.replace',
    object: own.secretId,
    by: ['on behalf'],
    deniedTo: 'user',
  },
  {
    title: 'cut a connection',
    write: (c) => c.query('delete from user_secrets where id = $1', [own.secretId]),
    action: 'secret.remove',
    object: own.secretId,
    detail: { provider: 'github' },
  },
  {
    title: 'change a profile',
    write: (c) =>
      c.query(
        `update user_profiles set display_name = 'B', preferences = '{"b": {"c": 1}, "theme": null}' where user_id = $1`,
        [own.userId],
      ),
    action: 'profile.change',
    object: own.userId,
    detail: { columns: ['display_name', 'preferences'], preferences: ['b', 'theme'] },
  },
]

for (const { title, write, action, object, detail, by, deniedTo } of mutations) {
  t.test(`the log has: ${title}`, async (t) => {
    for (const writer of writers) {
      if (writer.name === deniedTo) {
        t.equal((await rolledBack(writer.client, async () => {
          await writer.become()
          return outcomeOf(write(writer.client))
        })).code, '42501', `${writer.name}: denied`)
        continue
      }
      const found = await logged(writer, write)
      const expected = by?.includes(writer.name) ?? true
      t.strictSame(
        found.map((entry) => [`${entry.object_type}.${entry.action}`, entry.user_id]),
        expected ? [[action, own.userId]] : [],
        writer.name,
      )
      if (!expected) continue
      t.match(found, [{ ...(object && { object_id: object }), ...(detail && { detail }) }], `${writer.name}: what`)
    }
  })
}

t.test('the log has: make a profile', async (t) => {
  const make = (client: pg.Client) => insertProfile(client, newcomer, { preferences: { a: 1 } })
  const entry = {
    ...{ user_id: newcomer, object_type: 'profile', action: 'create', object_id: newcomer },
    detail: { columns: ['display_name', 'preferences'], preferences: ['a'] },
  }
  for (const become of [() => assume(owner, user(newcomer)), () => assume(owner, service)]) {
    t.match(await logged({ name: 'user', client: owner, become }, make), [entry])
  }
})

t.test('these are all the actions that the log knows', async (t) => {
  const { rows } = await owner.query<{ definition: string }>(`
    select pg_get_constraintdef(oid) as definition from pg_constraint
    where conname = 'user_activity_log_action_known_of_object_type_check'`)
  const known = [...only({ rows }).definition.matchAll(/'(\w+)'/g)].map(([, word]) => word ?? '')
  const walked = mutations.flatMap(({ action }) => action.split('.'))
  t.strictSame([...new Set(known)].sort(), [...new Set(walked)].sort())
})

/** What services do by themselves, and what changes nothing. */
const steps: Readonly<Record<string, (client: pg.Client) => Promise<unknown>>> = {
  'a claim': status(queued, 'generating'),
  'progress': (c) => c.query('update generation_requests set current_iteration = 1 where id = $1', [generating]),
  'a completion': status(generating, 'completed'),
  'a failure': status(generating, 'failed'),
  'a requeue after a lost lease': status(generating, 'queued'),
  'an import of a finished generation': (c) => insertRequest(c, own.userId, own.appId, { status: 'completed' }),
  'a write that changes no status': status(queued, 'queued'),
  'an expiry': (c) => c.query(`update user_secrets set expires_at = now() where id = $1`, [own.secretId]),
  'the same name': (c) => c.query('update apps set app_name = app_name where id = $1', [own.appId]),
  'the same profile': (c) =>
    c.query(`update user_profiles set display_name = display_name, preferences = '{}' where user_id = $1`, [
      own.userId,
    ]),
  'an enqueue that is there already': (c) =>
    c.query(
      `insert into generation_requests (id, user_id, app_id, prompt, mode) values ($1, $2, $3, 'x', 'autonomous')
       on conflict do nothing`,
      [queued, own.userId, own.appId],
    ),
}

t.test("a worker's steps are not in it, nor what changes nothing, whoever it works for", async (t) => {
  for (const [title, step] of Object.entries(steps)) {
    for (const writer of writers.filter(({ name }) => name !== 'user')) {
      t.strictSame(await logged(writer, step), [], `${title}: ${writer.name}`)
    }
  }
})

t.test('claim and completion never call the function', async (t) => {
  const refuse = `
    create or replace function private.tg_generation_requests__log_status_change() returns trigger language plpgsql
    as $$ begin raise exception using errcode = 'LEO99'; end $$`
  for (const title of ['a claim', 'a completion', 'a failure']) {
    const outcome = await rolledBack(owner, async () => {
      await owner.query(refuse)
      return outcomeOf(steps[title]?.(owner) ?? Promise.reject(new Error(title)))
    })
    t.equal(outcome.code, 'done', title)
  }
  const cancelled = await rolledBack(owner, async () => {
    await owner.query(refuse)
    await declare(owner, own.userId)
    return outcomeOf(status(queued, 'cancelled')(owner))
  })
  t.equal(cancelled.code, 'LEO99', 'a cancellation does')
})

t.test('a declared user is the owner in any spelling; anything else counts as none and fails nothing', async (t) => {
  const cancel = (actingUser: string) =>
    logged({ name: 'service', client: worker, become: () => declare(worker, actingUser) }, status(queued, 'cancelled'))
  t.equal((await cancel(own.userId.toUpperCase())).length, 1)
  for (const invalid of ['', 'nobody', '{}', `${own.userId} `, `'`, other.userId, randomUUID(), 'x'.repeat(100_000)]) {
    t.strictSame(await cancel(invalid), [], invalid.slice(0, 50))
  }
  const create = await logged(
    { name: 'service', client: worker, become: () => declare(worker, other.userId) },
    (client) => insertApp(client, own.userId),
  )
  t.match(create, [{ user_id: own.userId }], 'no entry of one user is about what another has')
})

t.test('a user cannot act for another by declaring them', async (t) => {
  const found = await logged(
    {
      name: 'user',
      client: owner,
      become: async () => {
        await declare(owner, other.userId)
        await assume(owner, user(own.userId))
      },
    },
    status(queued, 'cancelled'),
  )
  t.match(found, [{ user_id: own.userId, action: 'cancel' }])
})

t.test('a function that runs as somebody else does not hide who asks', async (t) => {
  const cancel = `update public.generation_requests set status = ''cancelled'' where id = ${queued}`
  const found = await logged(through, async (client) => {
    await client.query('reset role')
    await client.query(`create function private.cancel() returns void language sql security definer as '${cancel}';
      grant usage on schema private to authenticated; grant execute on function private.cancel to authenticated`)
    await through.become()
    await client.query('select private.cancel()')
  })
  t.match(found, [{ user_id: own.userId, action: 'cancel' }])
})

const headers = (value: unknown) => async (client: pg.Client) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  await client.query(`select set_config('request.headers', $1, true)`, [text])
  await insertApp(client, own.userId)
}

t.test('an entry says where the request came from', async (t) => {
  const cases: readonly (readonly [headers: unknown, ip: string | null, userAgent: string | null])[] = [
    [{ 'user-agent': 'curl/8', 'x-forwarded-for': '203.0.113.9, 10.0.0.1' }, '203.0.113.9', 'curl/8'],
    [{ 'x-forwarded-for': ' 2001:DB8::1 ' }, '2001:db8::1', null],
    [{ 'user-agent': '😀'.repeat(600) }, null, '😀'.repeat(512)],
    [{ 'user-agent': '', 'x-forwarded-for': '' }, null, null],
    [{ 'user-agent': 'curl/8', 'x-forwarded-for': 'unknown' }, null, 'curl/8'],
    [{ 'user-agent': 'curl/8', 'x-forwarded-for': '1.2.3.4:5678' }, null, 'curl/8'],
    [{ 'user-agent': 'curl/8', 'x-forwarded-for': '999.1.1.1' }, null, 'curl/8'],
    [{ 'user-agent': 7, 'x-forwarded-for': ['1.2.3.4'] }, null, '7'],
    ...['', '{', 'x', '[]', '"x"', 'null', '{"user-agent":"\\u0000"}', '1e999999', `${'['.repeat(20_000)}`].map(
      (text) => [text, null, null] as const,
    ),
  ]
  for (const [value, ip, user_agent] of cases) {
    t.match(await logged(through, headers(value)), [{ ip, user_agent }], JSON.stringify(value).slice(0, 60))
  }
})

t.test('no secret, prompt or preference is in it', async (t) => {
  const token = sealed()
  const words = [token, 'a prompt to keep', 'a value to keep', 'error to keep', 'nested-key-to-keep']
  const found = await logged(behalf, async (client) => {
    await client.query('update user_secrets set encrypted_token = $2 where user_id = $1', [own.userId, token])
    await insertRow(client, 'user_secrets', { user_id: own.userId, provider: 'fly', encrypted_token: token })
    await client.query('delete from user_secrets where user_id = $1', [own.userId])
    const columns = { prompt: words[1], initial_prompt: words[1], error_message: words[3] }
    const id = await insertRequest(client, own.userId, own.appId, columns)
    await status(id, 'cancelled')(client)
    const preferences = { a: words[2], b: { [words[4] ?? '']: words[2] } }
    await client.query(
      'update user_profiles set display_name = $2, avatar_url = $3, preferences = $4 where user_id = $1',
      [own.userId, words[2], 'https://example.com/a-value-to-keep', preferences],
    )
  })
  t.equal(found.length, 7)
  for (const word of [...words, 'a-value-to-keep']) t.notOk(JSON.stringify(found).includes(word), word)
})

t.test('however many preferences change, and however they are called, the entry fits', async (t) => {
  const awkward = ['"', '\\', '\u0001', '书', '😀', ' ']
  const preferences = Object.fromEntries(
    Array.from({ length: 700 }, (_, index) => [`${(awkward[index % 6] ?? '').repeat(3)}${index}`, 1]),
  )
  const long = { ['\u0001'.repeat(2000)]: 1, short: 1 }
  for (const [value, some] of [[preferences, '\u0001\u0001\u00012'], [long, 'short']] as const) {
    const found = await logged(through, (client) =>
      client.query('update user_profiles set preferences = $1', [value]),
    )
    t.match(found, [{ action: 'change', detail: { columns: ['preferences'] } }])
    t.ok((found[0]?.detail['preferences'] as string[]).includes(some), 'with as many names as there is room for')
  }
})

t.test('a user reads their own entries and writes none; a service adds and reads; nobody changes one', async (t) => {
  const count = async (persona: Persona) =>
    (await db.as(persona, (client) => client.query('select from user_activity_log'))).rowCount
  const mine = await owner.query('select from user_activity_log where user_id = $1', [own.userId])
  t.equal(await count(user(own.userId)), mine.rowCount)
  t.equal(await count(service), (await owner.query('select from user_activity_log')).rowCount)
  const add = (client: pg.Client) =>
    insertRow(client, 'user_activity_log', { user_id: own.userId, object_type: 'app', object_id: 'x', action: 'create' })
  await t.rejects(db.as(user(own.userId), add), { code: '42501' })
  await t.resolves(db.tryAs(service, add))
  for (const command of ['update user_activity_log set ip = ip', 'delete from user_activity_log', 'truncate user_activity_log']) {
    for (const persona of [user(own.userId), service, { role: 'leo_worker' } as const]) {
      const refused = db.as(persona, (client) => client.query(command))
      await t.rejects(refused, { code: '42501' }, `${persona.role}: ${command}`)
    }
    await t.resolves(rolledBack(owner, () => owner.query(command)), `the owner: ${command}`)
  }
})

t.test("what an operator puts back is nobody's doing; a user cannot say so", async (t) => {
  const upgrade = (persona?: Persona) => ({
    ...{ name: 'user' as const, client: owner },
    become: async () => {
      await owner.query(`select set_config('leo.is_upgrade', 'on', true)`)
      if (persona) await assume(owner, persona)
    },
  })
  const create = (client: pg.Client) => insertApp(client, own.userId)
  t.strictSame(await logged(upgrade(), create), [])
  t.equal((await logged(upgrade(user(own.userId)), create)).length, 1)
})

const countOf = async ({ userId }: Pick<Tenant, 'userId'>): Promise<number | null> =>
  (await owner.query('select from user_activity_log where user_id = $1', [userId])).rowCount

t.test('deleting a user takes the log along and writes nothing into it', async (t) => {
  const gone = await insertTenant(db)
  t.ok(Number(await countOf(gone)) > 3)
  const lastId = async () => only(await owner.query('select last_value from user_activity_log_id_seq'))
  const before = await lastId()
  const auth = await db.login('supabase_auth_admin')
  await auth.query('begin')
  await declare(auth, gone.userId)
  t.equal((await auth.query('delete from auth.users where id = $1', [gone.userId])).rowCount, 1)
  await auth.query('commit')
  t.equal(await countOf(gone), 0)
  t.strictSame(await lastId(), before, 'not even tried')
})

t.test('a user who acts while being erased waits for nobody, and nobody deadlocks', async (t) => {
  const gone = await insertTenant(db)
  const auth = await db.login('supabase_auth_admin')
  const acting = await db.login(logins.leo_worker)

  await acting.query('begin')
  await declare(acting, gone.userId)
  await acting.query('select from generation_requests where id = $1 for update', [gone.requestId])
  const erased = auth.query('delete from auth.users where id = $1', [gone.userId])
  await isWaiting(owner, auth, erased)
  await status(gone.requestId, 'cancelled')(acting)
  await acting.query('commit')
  t.equal((await erased).rowCount, 1)
  t.equal(await countOf(gone), 0)
})

t.test('each question has its index', async (t) => {
  const questions = {
    'select * from user_activity_log where user_id = $1 order by created_at desc, id desc limit 20':
      'user_activity_log_user_id_created_at_id_idx',
    [`select * from user_activity_log where user_id = $1 and object_type = 'app' and object_id = 'x' order by id`]:
      'user_activity_log_user_id_object_type_object_id_id_idx',
  }
  for (const [question, index] of Object.entries(questions)) {
    const plan = await rolledBack(owner, async () => {
      await owner.query('set local enable_seqscan = off; set local enable_bitmapscan = off')
      const { rows } = await owner.query(`explain (format json) ${question.replace('$1', `'${own.userId}'`)}`)
      return JSON.stringify(rows)
    })
    t.ok(plan.includes(`"Index Name":"${index}"`), question)
    t.notOk(plan.includes('Sort'), 'and needs no sort')
  }
})
