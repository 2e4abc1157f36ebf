import t from 'tap'
import { accessTableEdits, expectedMatrix, insertMatrixUsers, observedMatrix } from './fixtures/access_matrix.ts'
import type { Matrix } from './fixtures/access_matrix.ts'
import { assume, createMigratedDatabase } from '../fixtures/database.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const users = await insertMatrixUsers(db)
const expected = expectedMatrix(users)

/** The cells that differ, as `cell: expected → observed`, including cells that only one side has. */
function differences(observed: Matrix, table = ''): string[] {
  return [...new Set([...expected.keys(), ...observed.keys()])]
    .filter((cell) => cell.includes(table))
    .filter((cell) => expected.get(cell) !== observed.get(cell))
    .map((cell) => `${cell}: ${expected.get(cell) ?? 'not in the table'} → ${observed.get(cell) ?? 'not in the database'}`)
    .sort()
}

t.test('every role has exactly the column permissions of the access table', async (t) => {
  t.strictSame(await accessTableEdits(db.owner), [])
  const observed = await observedMatrix(db, users)
  // The list above has one line for each table or column that only one side has; the cells would repeat it.
  t.strictSame(differences(observed).filter((line) => !/not in the (table|database)/.test(line)), [])
  t.ok(observed.size > 1000, `${observed.size} statements tried`)
})

t.test('a member of leo_api has no access until it assumes a user, and then the access of that user', async (t) => {
  const api = await db.login(logins.leo_api)
  await t.rejects(api.query('select id from apps'), { code: '42501' })
  await api.query('begin')
  await assume(api, { role: 'authenticated', userId: users.own.userId })
  t.strictSame((await api.query('select id from apps')).rows, [{ id: users.own.appId }])
  await api.query('rollback')
  await t.rejects(api.query('select id from apps'), { code: '42501' }, 'no access again after the transaction')
  await t.rejects(api.query('set role service_role'), { code: '42501' })
  await t.rejects(api.query('set role anon'), { code: '42501' })
})

/** Changes that the matrix must report, each with one of the cells that differ. */
const violations: readonly {
  readonly title: string
  readonly table: string
  readonly change: string
  readonly cell: string
}[] = [
  {
    title: 'a policy that lets everyone see every app',
    table: 'public.apps',
    change: 'create policy oops on apps for select to authenticated using (true)',
    cell: 'authenticated | other row | select public.apps.app_name: no rows → allowed',
  },
  {
    title: 'row security switched off',
    table: 'public.user_secrets',
    change: 'alter table user_secrets disable row level security',
    cell: 'authenticated | other row | delete public.user_secrets: no rows → allowed',
  },
  {
    title: 'an additional column grant',
    table: 'public.generation_requests',
    change: 'grant update (attempt) on generation_requests to authenticated',
    cell: 'authenticated | own row | update public.generation_requests.attempt: denied → allowed',
  },
  {
    title: 'a table granted to anon',
    table: 'public.deployment_config',
    change: `grant select on deployment_config to anon; create policy oops on deployment_config for select to anon using (true)`,
    cell: 'anon | own row | select public.deployment_config.value: denied → allowed',
  },
  {
    title: 'the truncate privilege that the defaults of a hosted project grant',
    table: 'public.iteration_snapshots',
    change: 'grant truncate on iteration_snapshots to service_role',
    cell: 'service_role | own row | truncate public.iteration_snapshots: denied → allowed',
  },
  {
    title: 'a service that loses a privilege',
    table: 'public.iteration_snapshots',
    change: 'revoke insert on iteration_snapshots from service_role',
    cell: 'leo_worker | own row | insert public.iteration_snapshots.metadata: allowed → denied',
  },
  {
    title: 'a column that is missing in the access table',
    table: 'public.apps',
    change: 'alter table apps add column colour text',
    cell: 'service_role | own row | select public.apps.colour: not in the table → allowed',
  },
  {
    title: 'a table that is missing in the access table',
    table: 'public.forgotten',
    change: `create table forgotten (id int); insert into forgotten values (1)`,
    cell: 'anon | own row | select public.forgotten.id: not in the table → denied',
  },
]

for (const { title, table, change, cell } of violations) {
  t.test(`the matrix reports ${title}`, async (t) => {
    const broken = await createMigratedDatabase(t)
    const brokenUsers = await insertMatrixUsers(broken)
    await broken.owner.query(change)
    const found = differences(await observedMatrix(broken, brokenUsers, table), table)
    t.ok(found.includes(cell), cell, { found })
  })
}
