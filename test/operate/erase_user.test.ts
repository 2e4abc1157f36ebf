import t from 'tap'
import { countUserRows, eraseUser, findRemainingReferences } from '../../scripts/operate/users/erase.ts'
import { ownerOf, readTables } from '../../scripts/operate/users/tables.ts'
import { runLeo } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertRequest, insertRow, insertTenant } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const other = await insertTenant(db)
const admin = await db.login('supabase_admin')

const rowsOf = async (userId: string): Promise<Record<string, unknown[]>> => {
  const rows: Record<string, unknown[]> = {}
  for (const { name } of (await readTables(owner)).filter(ownerOf)) {
    rows[name] = (await owner.query(`select * from ${name} as t where user_id = $1 order by t::text`, [userId])).rows
  }
  return rows
}
const exists = async (userId: string): Promise<boolean> =>
  (await owner.query('select from auth.users where id = $1', [userId])).rowCount === 1
const tablesOf = async (userId: string): Promise<string[]> =>
  (await countUserRows(owner, userId)).counts.map(({ table }) => table)

t.test('erasing a user deletes all their rows except pending clean-ups', async (t) => {
  const erased = await insertTenant(db)
  await insertRequest(owner, erased.userId, erased.appId, { github_url: 'https://github.com/leo/books' })
  const before = await rowsOf(other.userId)
  for (const [table, rows] of Object.entries(await rowsOf(erased.userId))) {
    t.ok(rows.length > 0, `insertTenant() inserts a row into ${table}`)
  }
  t.match(await countUserRows(owner, erased.userId), { exists: true })
  t.strictSame(
    await tablesOf(erased.userId),
    (await readTables(owner))
      .filter((table) => ownerOf(table) || table.name === 'public.supabase_project_places')
      .map(({ name }) => name),
  )

  const retained = await eraseUser(owner, erased.userId)
  t.match(retained, [{ table: 'public.cleanup_outbox', rows: 2 }])
  t.notOk(await exists(erased.userId))
  t.strictSame(await tablesOf(erased.userId), ['public.cleanup_outbox'])
  t.strictSame(await rowsOf(other.userId), before, 'the rows of other users are unchanged')
})

/** Tables of a faulty migration. Each keeps the id of the user in another way. */
const faultyTables: Readonly<Record<string, { readonly table: string; readonly value: (userId: string) => unknown }>> = {
  'an owner without a foreign key': { table: 'user_id uuid', value: (id) => id },
  'an owner column of type text': { table: 'user_id text', value: (id) => id.toUpperCase() },
  'a reference in a row of another user': {
    table: `user_id uuid default gen_random_uuid(), shared_with uuid`,
    value: (id) => id,
  },
  'an array in a row of another user': {
    table: `user_id uuid default gen_random_uuid(), shared_with uuid[]`,
    value: (id) => [id],
  },
  'a row whose owner is null': { table: 'user_id uuid, note jsonb', value: (id) => ({ of: id }) },
  'a uuid in a table without owners': { table: 'creator uuid', value: (id) => id },
  'a text in a table without owners that has a column t': { table: 't int, note text', value: (id) => `of ${id}` },
}

for (const [title, { table, value }] of Object.entries(faultyTables)) {
  t.test(`a remaining reference rolls the erasure back: ${title}`, async (t) => {
    const { userId } = other
    const before = await rowsOf(userId)
    await owner.query(`create table forgotten (${table})`)
    // The name of the last column.
    const [column = ''] = table.split(', ').at(-1)?.split(' ') ?? []
    await insertRow(owner, 'forgotten', { [column]: value(userId) })
    await t.rejects(eraseUser(owner, userId), { message: /^nothing was erased: public\.forgotten \(1 rows\) would/ })
    await owner.query('drop table forgotten')
    t.strictSame(await rowsOf(userId), before)
    t.ok(await exists(userId))
  })
}

t.test('a remaining reference in a materialized view rolls the erasure back', async (t) => {
  await owner.query('create materialized view forgotten as select user_id, app_name from apps')
  await t.rejects(eraseUser(owner, other.userId), { name: 'Failure', message: /public\.forgotten/ })
  await owner.query('drop materialized view forgotten')
})

t.test('a foreign key without cascade fails the erasure; one with cascade needs no rule', async (t) => {
  const erased = await insertTenant(db)
  await owner.query(`create table kept (user_id uuid constraint kept_user_id_fkey references auth.users)`)
  await insertRow(owner, 'kept', { user_id: erased.userId })
  await t.rejects(eraseUser(owner, erased.userId), { code: '23503', constraint: 'kept_user_id_fkey' })
  t.ok(await exists(erased.userId))
  await owner.query(`
    alter table kept drop constraint kept_user_id_fkey;
    alter table kept add constraint kept_user_id_fkey foreign key (user_id) references auth.users on delete cascade`)
  await eraseUser(owner, erased.userId)
  t.strictSame((await owner.query('select from kept')).rows, [])
  await owner.query('drop table kept')
})

t.test('the configuration history keeps the id of the user who changed a setting, in no other column', async (t) => {
  const { userId } = await insertTenant(db)
  await owner.query(`
    begin;
    set local leo.acting_user = '${userId}';
    insert into deployment_config (key, value) values ('a', 'x');
    commit`)
  await owner.query(`insert into deployment_config (key, value) values ('admins', $1)`, [userId])
  await t.rejects(eraseUser(owner, userId), {
    message: /: public\.deployment_config \(1 rows\), public\.deployment_config_history \(1 rows\) would/,
  })
  await owner.query(`delete from deployment_config where key = 'admins'`)
  await t.rejects(eraseUser(owner, userId), { message: /: public\.deployment_config_history \(2 rows\) would/ })
  await owner.query(`select private.redact_config_history('admins')`)
  t.match(await eraseUser(owner, userId), [
    { table: 'public.cleanup_outbox', rows: 1 },
    { table: 'public.deployment_config_history', rows: 1 },
  ])
})

t.test('a finished clean-up whose URL contains the user id is deleted', async (t) => {
  const { userId } = await insertTenant(db)
  const target = `https://${userId}.fly.dev`
  await insertRow(owner, 'cleanup_outbox', { kind: 'fly_app', target, finished_at: 'now' })
  await eraseUser(owner, userId)
  t.strictSame((await owner.query('select from cleanup_outbox where target = $1', [target])).rows, [])
})

t.test('a role without the privilege to delete users is told to use Supabase Auth', async (t) => {
  await admin.query('revoke delete on auth.users from postgres')
  t.teardown(() => admin.query('grant delete on auth.users to postgres'))
  await t.rejects(eraseUser(owner, other.userId), { name: 'Failure', remedy: /auth\.admin\.deleteUser/ })
})

t.test('the command shows a preview, erases when confirmed, and verifies an earlier erasure', async (t) => {
  const { userId } = await insertTenant(db)
  const args = [`--user=${userId}`]
  const shown = await runLeo(db, 'erase-user', args)
  t.match(shown, { code: 0, stdout: new RegExp(`public\\.apps: 1 rows.*preview: .*make erase-user user=${userId} CONFIRM=${userId}`, 's') })
  const wrong = await runLeo(db, 'erase-user', args, { CONFIRM: other.userId })
  t.match(wrong, { code: 1, stdout: '', stderr: `CONFIRM is ${other.userId}, but ${userId} is expected` })
  t.ok(await exists(userId))

  const done = await runLeo(db, 'erase-user', args, { CONFIRM: userId })
  const retained = /erased; the only rows that reference the user:\n {2}public\.cleanup_outbox: 1 rows, until/
  t.match(done, { code: 0, stdout: retained }, done.stderr)
  t.notOk(await exists(userId))

  await owner.query('create table forgotten as select $1::uuid as user_id', [userId])
  t.match(await runLeo(db, 'erase-user', args), { code: 1, stderr: /not in auth\.users, but public\.forgotten/ })
  await owner.query('drop table forgotten')
  t.match(await findRemainingReferences(owner, userId), {
    unexpected: { length: 0 },
    retained: [{ table: 'public.cleanup_outbox', rows: 1 }],
  })
})
