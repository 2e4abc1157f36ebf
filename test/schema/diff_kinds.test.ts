import t from 'tap'
import { connect, withClient } from '../../scripts/core/connect.ts'
import { readCatalog, readCatalogHere } from '../../scripts/schema/catalog/read.ts'
import { diffCatalogs } from '../../scripts/schema/compare/compare.ts'
import { remainingHunks } from '../../scripts/schema/compare/hunks.ts'
import type { Matching } from '../../scripts/schema/compare/match.ts'
import type { Catalog, Change } from '../../scripts/schema/catalog/model.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { dropAndAdds, kinds, of, renames, told, world, type Case } from './fixtures/diff_corpus/index.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const db = await createEmptyDatabase(t)
await db.owner.query(world)
// Cases are made in a transaction that goes no further: the ids are those of base, and no clone is needed.
const client = await connect(clusterAdmin(db.name))
t.teardown(() => client.end())
await client.query('begin isolation level repeatable read; set local role postgres; savepoint base')
const base = await readHere()

async function readHere(): Promise<Catalog> {
  const catalog = await readCatalogHere(client)
  await client.query('rollback to savepoint base')
  return catalog
}

async function make({ sql, asSuperuser }: Pick<Case, 'sql' | 'asSuperuser'>): Promise<Catalog> {
  if (asSuperuser) await client.query('reset role')
  try {
    await client.query(sql)
  } catch (error) {
    await client.query('rollback to savepoint base')
    throw error
  }
  return readHere()
}

const diff = async (one: Pick<Case, 'sql' | 'asSuperuser'>, matching: Matching = 'id'): Promise<Change[]> =>
  diffCatalogs(base, await make(one), matching)

const major = Number((await client.query('show server_version_num')).rows[0].server_version_num.slice(0, 2))
const ours = (cases: readonly Case[]): readonly Case[] => of(major, cases)
/** Without the indentation of the file that it is written in. */
const written = (text: string): string => text.trim().replace(/^ {6}/gm, '')

for (const [title, cases] of Object.entries(kinds)) {
  t.test(`a difference of ${title} is found and named`, async (t) => {
    for (const one of ours(cases)) {
      const changes = await diff(one)
      t.equal(told(changes), written(one.told), one.title)
      const mute = changes.filter(({ severity, reasons }) => severity !== 'additive' && reasons.length === 0)
      t.strictSame(mute, [], `${one.title}: what is not additive says why`)
    }
  })
}

t.test('a rename is told by id, and by nothing else', async (t) => {
  for (const one of ours(renames)) {
    const changes = await diff(one)
    t.equal(told(changes), written(one.told), one.title)
    t.ok(changes.some(({ action }) => action === 'renamed'), `${one.title} is one`)
    t.notOk(changes.some(({ action }) => /added|removed/.test(action)), `${one.title} adds and removes nothing`)
  }
  for (const one of ours(dropAndAdds)) {
    const changes = await diff(one)
    t.equal(told(changes), written(one.told), one.title)
    t.ok(changes.some(({ action }) => action === 'added'), `${one.title} is added`)
  }
})

t.test('of two databases that have nothing to do with each other no rename is claimed', async (t) => {
  for (const one of ours(renames)) {
    const actions = (await diff(one, 'name')).map(({ action }) => action)
    t.notOk(actions.includes('renamed'), one.title)
    t.ok(actions.length > 0, `${one.title} is found all the same`)
  }
})

t.test('a routine that still says the name of what is renamed or gone is told', async (t) => {
  const stale = async (sql: string): Promise<string[]> =>
    (await diff({ sql })).flatMap(({ reasons }) => reasons).filter((reason) => reason.endsWith(' still names it'))
  const count = 'function public.count_pets(bigint) still names it'
  const tidy = 'procedure private.tidy_up() still names it'
  t.strictSame(await stale('alter table public.pets rename to animals'), [count])
  t.strictSame(await stale('alter table public.pets rename column owner_id to keeper_id'), [count])
  t.strictSame(await stale('alter table public.pets drop column owner_id cascade'), [count])
  t.strictSame(await stale('alter schema private rename to internal'), ['procedure internal.tidy_up() still names it'])
  t.strictSame(await stale('drop table private.log'), [tidy])
  t.strictSame(await stale('drop table private.log; create table private.log (line text)'), [])
  t.strictSame(await stale('alter table public.pets rename column legs to feet'), [])
})

t.test('an enum value that is used in the transaction that adds it is an error of the migration', async (t) => {
  const sql = `
    alter type public.mood add value 'asleep';
    alter table public.pets alter column mood set default 'asleep'`
  await t.rejects(make({ sql }), { code: '55P04' })
})

t.test('nothing is different in a database that did not change', async (t) => {
  t.strictSame(await diff({ sql: 'select' }), [])
  const again = await createEmptyDatabase(t)
  await again.owner.query(world)
  const other = await withClient(clusterAdmin(again.name), readCatalog)
  t.strictSame(diffCatalogs(base, other, 'name'), [], 'nor in one that was made alike')
  t.not(diffCatalogs(base, other, 'id').length, 0, 'whose objects are others by their ids')
})

t.test('the order in which things are done makes no difference', async (t) => {
  const statements = [
    'alter table public.pets add column colour text',
    'alter table public.pets drop column legs',
    'create index pets_name_idx on public.pets (name)',
    'create index pets_mood_idx on public.pets (mood)',
    'create function private.one() returns int language sql as $$ select 1 $$',
    'create function private.one(int) returns int language sql as $$ select 1 $$',
    'alter table public.owners rename column name to full_name',
    'grant select on public.owners to authenticated, service_role',
    'create policy delete_own on public.pets for delete to authenticated using (owner_id = 1)',
  ]
  const forth = await diff({ sql: statements.join(';') })
  t.equal(forth.filter(({ partOf }) => partOf === null).length, 12)
  t.strictSame(await diff({ sql: statements.toReversed().join(';') }), forth)
})

t.test('what dumps say beyond the changes is left over, and nothing else', async (t) => {
  const before = await dumpSchema(db.target, dumped)
  await client.query('rollback; begin; set local role postgres')
  let made = 0
  for (const { sql, asSuperuser } of Object.values(kinds).flatMap(ours)) {
    if (asSuperuser) continue
    // Not all get along with what others did.
    await client.query('savepoint one')
    await client.query(sql).then(() => (made += 1), () => client.query('rollback to savepoint one'))
  }
  await client.query('commit')
  t.ok(made > 90, `${made} differences at once`)

  const changes = diffCatalogs(base, await withClient(clusterAdmin(db.name), readCatalog), 'id')
  const after = await dumpSchema(db.target, dumped)
  const left = remainingHunks(before, after, changes).map(({ entry }) => entry)
  t.strictSame(left, ['TEXT SEARCH CONFIGURATION public.plain'])
  const all = remainingHunks(before, after, [])
  t.ok(all.length > 60, 'without the changes every entry that differs is there')
  t.strictSame(remainingHunks(before, before, []), [])
})

const dumped = { schemas: ['public', 'private', 'billing'] }
