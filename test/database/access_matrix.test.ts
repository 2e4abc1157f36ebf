import t from 'tap'
import { expectedMatrix, makeWorld, observedMatrix } from './fixtures/access_matrix.ts'
import type { Matrix } from './fixtures/access_matrix.ts'
import { assume, createMigratedDatabase } from '../fixtures/database.ts'
import { logins } from '../fixtures/server.ts'

const db = await createMigratedDatabase(t)
const world = await makeWorld(db)
const expected = expectedMatrix(world)

/** The cells that differ, as `cell: expected → observed`; a cell that only one side has counts too. */
function differences(observed: Matrix, table = ''): string[] {
  return [...new Set([...expected.keys(), ...observed.keys()])]
    .filter((cell) => cell.includes(table))
    .filter((cell) => expected.get(cell) !== observed.get(cell))
    .map((cell) => `${cell}: ${expected.get(cell) ?? 'not in the table'} → ${observed.get(cell) ?? 'not in the database'}`)
    .sort()
}

t.test('every role reaches exactly what the table of expectations says, column by column', async (t) => {
  const observed = await observedMatrix(db, world)
  t.strictSame(differences(observed), [])
  t.ok(observed.size > 1000, `${observed.size} cells tried`)
})

t.test('a service of leo_api is nobody until it becomes a user, and then that user', async (t) => {
  const api = await db.login(logins.leo_api)
  await t.rejects(api.query('select id from apps'), { code: '42501' })
  await api.query('begin')
  await assume(api, { role: 'authenticated', userId: world.own.userId })
  t.strictSame((await api.query('select id from apps')).rows, [{ id: world.own.appId }])
  await api.query('rollback')
  await t.rejects(api.query('select id from apps'), { code: '42501' }, 'and nobody again after the transaction')
  await t.rejects(api.query('set role service_role'), { code: '42501' })
  await t.rejects(api.query('set role anon'), { code: '42501' })
})

/** What must be noticed, and one of the cells in which it shows. */
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
    title: 'a column granted too much',
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
    title: 'truncate left behind by the defaults of a hosted project',
    table: 'public.iteration_snapshots',
    change: 'grant truncate on iteration_snapshots to service_role',
    cell: 'service_role | own row | truncate public.iteration_snapshots: denied → allowed',
  },
  {
    title: 'a service that loses a right',
    table: 'public.iteration_snapshots',
    change: 'revoke insert on iteration_snapshots from service_role',
    cell: 'leo_worker | own row | insert public.iteration_snapshots.metadata: allowed → denied',
  },
  {
    title: 'a column that the table does not name',
    table: 'public.apps',
    change: 'alter table apps add column colour text',
    cell: 'service_role | own row | select public.apps.colour: not in the table → allowed',
  },
  {
    title: 'a table that the table does not name',
    table: 'public.forgotten',
    change: `create table forgotten (id int); insert into forgotten values (1)`,
    cell: 'anon | own row | select public.forgotten.id: not in the table → denied',
  },
]

for (const { title, table, change, cell } of violations) {
  t.test(`the matrix notices ${title}`, async (t) => {
    const broken = await createMigratedDatabase(t)
    const brokenWorld = await makeWorld(broken)
    await broken.owner.query(change)
    const found = differences(await observedMatrix(broken, brokenWorld, table), table)
    t.ok(found.includes(cell), cell, { found })
  })
}
