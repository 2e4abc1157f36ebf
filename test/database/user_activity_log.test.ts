import { randomUUID } from 'node:crypto'
import t from 'tap'
import type pg from 'pg'
import { assume, createMigratedDatabase, service, user } from '../fixtures/database.ts'
import type { Persona } from '../fixtures/database.ts'
import { waitUntilBlocked, outcomeOf, rolledBack } from '../fixtures/probe.ts'
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

const setActingUser = (client: pg.Client, actingUser: string): Promise<unknown> =>
  client.query(`select set_config('leo.acting_user', $1, true)`, [actingUser])

/** A writer: a user under row security, a service on behalf of that user, or a service on its own behalf. */
interface Writer {
  readonly name: 'user' | 'on behalf' | 'service'
  readonly client: pg.Client
  readonly setIdentity: () => Promise<unknown>
}

const asUser: Writer = { name: 'user', client: owner, setIdentity: () => assume(owner, user(own.userId)) }
const onBehalf: Writer = { name: 'on behalf', client: worker, setIdentity: () => setActingUser(worker, own.userId) }
const writers = [
  asUser,
  onBehalf,
  { name: 'service', client: worker, setIdentity: () => Promise.resolve() },
] as const satisfies readonly Writer[]

/**
 * The entries that `write` adds to the log. They are read in the same session, as the owner or as the worker, which can
 * both read all entries. The transaction is rolled back.
 */
async function addedEntries({ client, setIdentity }: Writer, write: (client: pg.Client) => Promise<unknown>): Promise<Entry[]> {
  return rolledBack(client, async () => {
    const before = (await entries(client)).length
    await setIdentity()
    await write(client)
    if (client === owner) await client.query('reset role')
    return (await entries(client)).slice(before)
  })
}

const setStatus = (id: number, to: string) => async (client: pg.Client) => {
  const { rowCount } = await client.query('update generation_requests set status = $2 where id = $1', [id, to])
  if (rowCount !== 1) throw new Error(`generation ${id} did not become ${to}`)
}
const insertGeneration = (columns: Row) => insertRequest(owner, own.userId, own.appId, columns)
const queued = await insertGeneration({ status: 'queued' })
const generating = await insertGeneration({ status: 'generating' })
const paused = await insertGeneration({ status: 'paused' })
const failed = await insertGeneration({ status: 'failed' })
const newUserId = await db.signUp()

interface Mutation {
  readonly title: string
  readonly write: (client: pg.Client) => Promise<unknown>
  readonly action: string
  readonly object?: string
  readonly detail?: Row
  /** The writers whose change is logged. Default: all. */
  readonly by?: readonly Writer['name'][]
  /** The writer that has no privilege for it. */
  readonly deniedTo?: 'user'
}

const app = { app_id: own.appId }
const userOrBehalf = ['user', 'on behalf'] as const

/** Every change that a user can make. */
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
    ...{ title, write: setStatus(id, to), action: `generation.${action}`, object: `${id}` },
    ...{ detail: { ...app, from }, by: userOrBehalf },
  })),
  {
    title: 'connect a provider',
    write: (c) => insertSecret(c, own.userId, 'fly'),
    action: 'secret.connect',
    detail: { provider: 'fly' },
    deniedTo: 'user',
  },
  {
    title: 'connect a provider again',
    write: (c) => c.query('update user_secrets set encrypted_token = $2 where id = $1', [own.secretId, sealed()]),
    action: 'secret.replace',
    object: own.secretId,
    detail: { provider: 'github' },
    by: ['on behalf'],
    deniedTo: 'user',
  },
  {
    title: 'connect a provider again by upsert',
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
    title: 'disconnect a provider',
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
  t.test(`the log records: ${title}`, async (t) => {
    for (const writer of writers) {
      if (writer.name === deniedTo) {
        t.equal((await rolledBack(writer.client, async () => {
          await writer.setIdentity()
          return outcomeOf(write(writer.client))
        })).code, '42501', `${writer.name}: denied`)
        continue
      }
      const found = await addedEntries(writer, write)
      const expected = by?.includes(writer.name) ?? true
      t.strictSame(
        found.map((entry) => [`${entry.object_type}.${entry.action}`, entry.user_id]),
        expected ? [[action, own.userId]] : [],
        writer.name,
      )
      if (!expected) continue
      t.match(found, [{ ...(object && { object_id: object }), ...(detail && { detail }) }], `${writer.name}: object and detail`)
    }
  })
}

t.test('the log records: create a profile', async (t) => {
  const create = (client: pg.Client) => insertProfile(client, newUserId, { preferences: { a: 1 } })
  const entry = {
    ...{ user_id: newUserId, object_type: 'profile', action: 'create', object_id: newUserId },
    detail: { columns: ['display_name', 'preferences'], preferences: ['a'] },
  }
  for (const setIdentity of [() => assume(owner, user(newUserId)), () => assume(owner, service)]) {
    t.match(await addedEntries({ name: 'user', client: owner, setIdentity }, create), [entry])
  }
})

t.test('the tests above cover every action of the log', async (t) => {
  const { rows } = await owner.query<{ definition: string }>(`
    select pg_get_constraintdef(oid) as definition from pg_constraint
    where conname = 'user_activity_log_action_known_of_object_type_check'`)
  const known = [...only({ rows }).definition.matchAll(/'(\w+)'/g)].map(([, word]) => word ?? '')
  const tested = mutations.flatMap(({ action }) => action.split('.'))
  t.strictSame([...new Set(known)].sort(), [...new Set(tested)].sort())
})

/** Changes that services make on their own behalf, and statements that change nothing. */
const unloggedChanges: Readonly<Record<string, (client: pg.Client) => Promise<unknown>>> = {
  'a claim': setStatus(queued, 'generating'),
  'progress': (c) => c.query('update generation_requests set current_iteration = 1 where id = $1', [generating]),
  'a completion': setStatus(generating, 'completed'),
  'a failure': setStatus(generating, 'failed'),
  'a requeue after a lost lease': setStatus(generating, 'queued'),
  'an import of a finished generation': (c) => insertRequest(c, own.userId, own.appId, { status: 'completed' }),
  'a write that changes no status': setStatus(queued, 'queued'),
  'an expiry': (c) => c.query(`update user_secrets set expires_at = now() where id = $1`, [own.secretId]),
  'the same name': (c) => c.query('update apps set app_name = app_name where id = $1', [own.appId]),
  'the same profile': (c) =>
    c.query(`update user_profiles set display_name = display_name, preferences = '{}' where user_id = $1`, [
      own.userId,
    ]),
  'an enqueue of an existing id': (c) =>
    c.query(
      `insert into generation_requests (id, user_id, app_id, prompt, mode) values ($1, $2, $3, 'x', 'autonomous')
       on conflict do nothing`,
      [queued, own.userId, own.appId],
    ),
}

t.test('the log does not record the changes of a worker, nor statements that change nothing', async (t) => {
  for (const [title, change] of Object.entries(unloggedChanges)) {
    for (const writer of writers.filter(({ name }) => name !== 'user')) {
      t.strictSame(await addedEntries(writer, change), [], `${title}: ${writer.name}`)
    }
  }
})

t.test('a claim, a completion and a failure do not call the trigger function', async (t) => {
  const failingFunction = `
    create or replace function private.tg_generation_requests__log_status_change() returns trigger language plpgsql
    as $$ begin raise exception using errcode = 'LEO99'; end $$`
  for (const title of ['a claim', 'a completion', 'a failure']) {
    const outcome = await rolledBack(owner, async () => {
      await owner.query(failingFunction)
      return outcomeOf(unloggedChanges[title]?.(owner) ?? Promise.reject(new Error(title)))
    })
    t.equal(outcome.code, 'done', title)
  }
  const cancelled = await rolledBack(owner, async () => {
    await owner.query(failingFunction)
    await setActingUser(owner, own.userId)
    return outcomeOf(setStatus(queued, 'cancelled')(owner))
  })
  t.equal(cancelled.code, 'LEO99', 'a cancellation calls it')
})

t.test('leo.acting_user counts if it is the id of the owner, in any letter case; other values are ignored', async (t) => {
  const cancel = (actingUser: string) => {
    const writer = { name: 'service', client: worker, setIdentity: () => setActingUser(worker, actingUser) } as const
    return addedEntries(writer, setStatus(queued, 'cancelled'))
  }
  t.equal((await cancel(own.userId.toUpperCase())).length, 1)
  for (const invalid of ['', 'nobody', '{}', `${own.userId} `, `'`, other.userId, randomUUID(), 'x'.repeat(100_000)]) {
    t.strictSame(await cancel(invalid), [], invalid.slice(0, 50))
  }
  const create = await addedEntries(
    { name: 'service', client: worker, setIdentity: () => setActingUser(worker, other.userId) },
    (client) => insertApp(client, own.userId),
  )
  t.match(create, [{ user_id: own.userId }], 'the entry of a new app belongs to its owner')
})

t.test('a user cannot act as another user by leo.acting_user', async (t) => {
  const found = await addedEntries(
    {
      name: 'user',
      client: owner,
      setIdentity: async () => {
        await setActingUser(owner, other.userId)
        await assume(owner, user(own.userId))
      },
    },
    setStatus(queued, 'cancelled'),
  )
  t.match(found, [{ user_id: own.userId, action: 'cancel' }])
})

t.test('a change by a SECURITY DEFINER function is logged for the user who calls it', async (t) => {
  const cancel = `update public.generation_requests set status = ''cancelled'' where id = ${queued}`
  const found = await addedEntries(asUser, async (client) => {
    await client.query('reset role')
    await client.query(`create function private.cancel() returns void language sql security definer as '${cancel}';
      grant usage on schema private to authenticated; grant execute on function private.cancel to authenticated`)
    await asUser.setIdentity()
    await client.query('select private.cancel()')
  })
  t.match(found, [{ user_id: own.userId, action: 'cancel' }])
})

const createWithHeaders = (value: unknown) => async (client: pg.Client) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  await client.query(`select set_config('request.headers', $1, true)`, [text])
  await insertApp(client, own.userId)
}

t.test('an entry has the IP address and the user agent of the request', async (t) => {
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
    t.match(await addedEntries(asUser, createWithHeaders(value)), [{ ip, user_agent }], JSON.stringify(value).slice(0, 60))
  }
})

t.test('an entry contains no secret, prompt or value of a preference', async (t) => {
  const token = sealed()
  const [prompt, value, error, nestedKey] = ['a private prompt', 'a private value', 'a private error', 'private-nested-key']
  const found = await addedEntries(onBehalf, async (client) => {
    await client.query('update user_secrets set encrypted_token = $2 where user_id = $1', [own.userId, token])
    await insertRow(client, 'user_secrets', { user_id: own.userId, provider: 'fly', encrypted_token: token })
    await client.query('delete from user_secrets where user_id = $1', [own.userId])
    const columns = { prompt, initial_prompt: prompt, error_message: error }
    const id = await insertRequest(client, own.userId, own.appId, columns)
    await setStatus(id, 'cancelled')(client)
    const preferences = { a: value, b: { [nestedKey]: value } }
    await client.query(
      'update user_profiles set display_name = $2, avatar_url = $3, preferences = $4 where user_id = $1',
      [own.userId, value, 'https://example.com/a-private-url', preferences],
    )
  })
  t.equal(found.length, 7)
  for (const text of [token, prompt, value, error, nestedKey, 'a-private-url']) {
    t.notOk(JSON.stringify(found).includes(text), text)
  }
})

t.test('an entry stays within its size limit for many preferences and for unusual names', async (t) => {
  const unusual = ['"', '\\', '\u0001', '书', '😀', ' ']
  const preferences = Object.fromEntries(
    Array.from({ length: 700 }, (_, index) => [`${(unusual[index % 6] ?? '').repeat(3)}${index}`, 1]),
  )
  const long = { ['\u0001'.repeat(2000)]: 1, short: 1 }
  for (const [value, listed] of [[preferences, '\u0001\u0001\u00012'], [long, 'short']] as const) {
    const found = await addedEntries(asUser, (client) =>
      client.query('update user_profiles set preferences = $1', [value]),
    )
    t.match(found, [{ action: 'change', detail: { columns: ['preferences'] } }])
    t.ok((found[0]?.detail['preferences'] as string[]).includes(listed), 'it lists as many names as fit')
  }
})

t.test('a user can read their own entries, a service can read all and insert, and no role can change an entry', async (t) => {
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

t.test('changes by the upgrade are not logged; the setting has no effect for users', async (t) => {
  const upgrade = (persona?: Persona) => ({
    ...{ name: 'user' as const, client: owner },
    setIdentity: async () => {
      await owner.query(`select set_config('leo.is_upgrade', 'on', true)`)
      if (persona) await assume(owner, persona)
    },
  })
  const create = (client: pg.Client) => insertApp(client, own.userId)
  t.strictSame(await addedEntries(upgrade(), create), [])
  t.equal((await addedEntries(upgrade(user(own.userId)), create)).length, 1)
})

const countOf = async ({ userId }: Pick<Tenant, 'userId'>): Promise<number | null> =>
  (await owner.query('select from user_activity_log where user_id = $1', [userId])).rowCount

t.test('deleting a user deletes their entries and adds none', async (t) => {
  const gone = await insertTenant(db)
  t.ok(Number(await countOf(gone)) > 3)
  const lastId = async () => only(await owner.query('select last_value from user_activity_log_id_seq'))
  const before = await lastId()
  const auth = await db.login('supabase_auth_admin')
  await auth.query('begin')
  await setActingUser(auth, gone.userId)
  t.equal((await auth.query('delete from auth.users where id = $1', [gone.userId])).rowCount, 1)
  await auth.query('commit')
  t.equal(await countOf(gone), 0)
  t.strictSame(await lastId(), before, 'no entry id was used')
})

t.test('a change on behalf of a user who is being deleted does not deadlock', async (t) => {
  const gone = await insertTenant(db)
  const auth = await db.login('supabase_auth_admin')
  const acting = await db.login(logins.leo_worker)

  await acting.query('begin')
  await setActingUser(acting, gone.userId)
  await acting.query('select from generation_requests where id = $1 for update', [gone.requestId])
  const deletion = auth.query('delete from auth.users where id = $1', [gone.userId])
  await waitUntilBlocked(owner, auth, deletion)
  await setStatus(gone.requestId, 'cancelled')(acting)
  await acting.query('commit')
  t.equal((await deletion).rowCount, 1)
  t.equal(await countOf(gone), 0)
})

t.test('the queries of the log use their indexes and need no sort', async (t) => {
  const queries = {
    'select * from user_activity_log where user_id = $1 order by created_at desc, id desc limit 20':
      'user_activity_log_user_id_created_at_id_idx',
    [`select * from user_activity_log where user_id = $1 and object_type = 'app' and object_id = 'x' order by id`]:
      'user_activity_log_user_id_object_type_object_id_id_idx',
  }
  for (const [query, index] of Object.entries(queries)) {
    const plan = await rolledBack(owner, async () => {
      await owner.query('set local enable_seqscan = off; set local enable_bitmapscan = off')
      const { rows } = await owner.query(`explain (format json) ${query.replace('$1', `'${own.userId}'`)}`)
      return JSON.stringify(rows)
    })
    t.ok(plan.includes(`"Index Name":"${index}"`), query)
    t.notOk(plan.includes('Sort'), `no sort: ${query}`)
  }
})
