import t from 'tap'
import { eraseUser, lookAtUser, lookForRemains } from '../../scripts/operate/users/erase.ts'
import { ownerOf, readTables } from '../../scripts/operate/users/tables.ts'
import { runScript } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { insertRequest, insertRow, insertTenant } from '../fixtures/rows.ts'

const db = await createMigratedDatabase(t)
const { owner } = db
const other = await insertTenant(db)
const admin = await db.login('supabase_admin')

const theirs = async (userId: string): Promise<Record<string, unknown[]>> => {
  const rows: Record<string, unknown[]> = {}
  for (const { name } of (await readTables(owner)).filter(ownerOf)) {
    rows[name] = (await owner.query(`select * from ${name} as t where user_id = $1 order by t::text`, [userId])).rows
  }
  return rows
}
const isThere = async (userId: string): Promise<boolean> =>
  (await owner.query('select from auth.users where id = $1', [userId])).rowCount === 1
const tablesOf = async (userId: string): Promise<string[]> =>
  (await lookAtUser(owner, userId)).counts.map(({ table }) => table)

t.test('a user goes with everything of theirs, but for what is still to be cleaned up', async (t) => {
  const gone = await insertTenant(db)
  await insertRequest(owner, gone.userId, gone.appId, { github_url: 'https://github.com/leo/books' })
  const before = await theirs(other.userId)
  for (const [table, rows] of Object.entries(await theirs(gone.userId))) {
    t.ok(rows.length > 0, `insertTenant() makes a row of ${table}`)
  }
  t.match(await lookAtUser(owner, gone.userId), { exists: true })
  t.strictSame(
    await tablesOf(gone.userId),
    (await readTables(owner))
      .filter((table) => ownerOf(table) || table.name === 'public.supabase_project_places')
      .map(({ name }) => name),
  )

  const remains = await eraseUser(owner, gone.userId)
  t.match(remains, [{ table: 'public.cleanup_outbox', rows: 2 }])
  t.notOk(await isThere(gone.userId))
  t.strictSame(await tablesOf(gone.userId), ['public.cleanup_outbox'])
  t.strictSame(await theirs(other.userId), before)
})

/** What a migration may get wrong: each keeps something of the user in a way of its own. */
const forgetful: Readonly<Record<string, { readonly table: string; readonly value: (userId: string) => unknown }>> = {
  'an owner without a foreign key': { table: 'user_id uuid', value: (id) => id },
  'an owner that is text': { table: 'user_id text', value: (id) => id.toUpperCase() },
  'another\'s row': { table: `user_id uuid default gen_random_uuid(), shared_with uuid`, value: (id) => id },
  'a list in another\'s row': {
    table: `user_id uuid default gen_random_uuid(), shared_with uuid[]`,
    value: (id) => [id],
  },
  'a row without its owner': { table: 'user_id uuid, note jsonb', value: (id) => ({ of: id }) },
  'a uuid in a table of nobody': { table: 'creator uuid', value: (id) => id },
  'a text in a table of nobody, which has a column t': { table: 't int, note text', value: (id) => `of ${id}` },
}

for (const [title, { table, value }] of Object.entries(forgetful)) {
  t.test(`a table that keeps something takes the erasure back: ${title}`, async (t) => {
    const { userId } = other
    const before = await theirs(userId)
    await owner.query(`create table forgotten (${table})`)
    // The last column, as the first word after the last comma says.
    const [column = ''] = table.split(', ').at(-1)?.split(' ') ?? []
    await insertRow(owner, 'forgotten', { [column]: value(userId) })
    await t.rejects(eraseUser(owner, userId), { message: /^nothing was erased: public\.forgotten \(1 rows\) would/ })
    await owner.query('drop table forgotten')
    t.strictSame(await theirs(userId), before)
    t.ok(await isThere(userId))
  })
}

t.test('a materialised view that keeps something does so too', async (t) => {
  await owner.query('create materialized view forgotten as select user_id, app_name from apps')
  await t.rejects(eraseUser(owner, other.userId), { name: 'Failure', message: /public\.forgotten/ })
  await owner.query('drop materialized view forgotten')
})

t.test('a reference that does not cascade refuses by its name, and one that does needs no word', async (t) => {
  const gone = await insertTenant(db)
  await owner.query(`create table kept (user_id uuid constraint kept_user_id_fkey references auth.users)`)
  await insertRow(owner, 'kept', { user_id: gone.userId })
  await t.rejects(eraseUser(owner, gone.userId), { code: '23503', constraint: 'kept_user_id_fkey' })
  t.ok(await isThere(gone.userId))
  await owner.query(`
    alter table kept drop constraint kept_user_id_fkey;
    alter table kept add constraint kept_user_id_fkey foreign key (user_id) references auth.users on delete cascade`)
  await eraseUser(owner, gone.userId)
  t.strictSame((await owner.query('select from kept')).rows, [])
  await owner.query('drop table kept')
})

t.test('whoever changed a setting is still named in its history, and nowhere else', async (t) => {
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

t.test('a finished clean-up whose URL names the user goes too', async (t) => {
  const { userId } = await insertTenant(db)
  const target = `https://${userId}.fly.dev`
  await insertRow(owner, 'cleanup_outbox', { kind: 'fly_app', target, finished_at: 'now' })
  await eraseUser(owner, userId)
  t.strictSame((await owner.query('select from cleanup_outbox where target = $1', [target])).rows, [])
})

t.test('a role that may not delete users hears what may', async (t) => {
  await admin.query('revoke delete on auth.users from postgres')
  t.teardown(() => admin.query('grant delete on auth.users to postgres'))
  await t.rejects(eraseUser(owner, other.userId), { name: 'Failure', remedy: /auth\.admin\.deleteUser/ })
})

t.test('the command shows first, erases what was confirmed, and looks again', async (t) => {
  const { userId } = await insertTenant(db)
  const args = [`--user=${userId}`]
  const shown = await runScript(db, 'erase-user', args, { CONFIRM: other.userId })
  t.match(shown, { code: 1, stdout: /public\.apps: 1 rows/, stderr: new RegExp(`CONFIRM=${userId}`) })
  t.ok(await isThere(userId))

  const done = await runScript(db, 'erase-user', args, { CONFIRM: userId })
  t.match(done, { code: 0, stdout: /erased; no row names them, but for\n {2}public\.cleanup_outbox: 1 rows, until/ }, done.stderr)
  t.notOk(await isThere(userId))

  await owner.query('create table forgotten as select $1::uuid as user_id', [userId])
  t.match(await runScript(db, 'erase-user', args), { code: 1, stderr: /not in auth\.users, but public\.forgotten/ })
  await owner.query('drop table forgotten')
  t.match(await lookForRemains(owner, userId), { left: { length: 0 }, stays: [{ table: 'public.cleanup_outbox', rows: 1 }] })
})
