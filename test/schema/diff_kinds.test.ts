import t from 'tap'
import { connect, withClient } from '../../scripts/core/connect.ts'
import { readCatalog, readCatalogHere } from '../../scripts/schema/catalog/read.ts'
import { diffCatalogs } from '../../scripts/schema/compare/compare.ts'
import { remainingHunks } from '../../scripts/schema/compare/hunks.ts'
import type { Matching } from '../../scripts/schema/compare/match.ts'
import type { Catalog, Change } from '../../scripts/schema/catalog/model.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import {
  baseSchema, casesByKind, casesFor, dropAndAdds, formatChanges, renames, type Case,
} from './fixtures/diff_corpus/index.ts'
import { clusterAdmin } from '../fixtures/server.ts'

const db = await createEmptyDatabase(t)
await db.owner.query(baseSchema)
// Each case runs in a transaction that is rolled back. Objects keep the OIDs of base, so no clone is needed.
const client = await connect(clusterAdmin(db.name))
t.teardown(() => client.end())
await client.query('begin isolation level repeatable read; set local role postgres; savepoint base')
const base = await readAndRollBack()

async function readAndRollBack(): Promise<Catalog> {
  const catalog = await readCatalogHere(client)
  await client.query('rollback to savepoint base')
  return catalog
}

async function apply({ sql, asSuperuser }: Pick<Case, 'sql' | 'asSuperuser'>): Promise<Catalog> {
  if (asSuperuser) await client.query('reset role')
  try {
    await client.query(sql)
  } catch (error) {
    await client.query('rollback to savepoint base')
    throw error
  }
  return readAndRollBack()
}

const diff = async (one: Pick<Case, 'sql' | 'asSuperuser'>, matching: Matching = 'id'): Promise<Change[]> =>
  diffCatalogs(base, await apply(one), matching)

const major = Number((await client.query('show server_version_num')).rows[0].server_version_num.slice(0, 2))
const supported = (cases: readonly Case[]): readonly Case[] => casesFor(major, cases)
/** Removes the indentation of the source file. */
const unindent = (text: string): string => text.trim().replace(/^ {6}/gm, '')

for (const [title, cases] of Object.entries(casesByKind)) {
  t.test(`every difference of ${title} is found and judged`, async (t) => {
    for (const one of supported(cases)) {
      const changes = await diff(one)
      t.equal(formatChanges(changes), unindent(one.expected), one.title)
      const withoutReason = changes.filter(({ severity, reasons }) => severity !== 'additive' && reasons.length === 0)
      t.strictSame(withoutReason, [], `${one.title}: a change that is not additive has a reason`)
    }
  })
}

t.test('a rename is detected by OID only', async (t) => {
  for (const one of supported(renames)) {
    const changes = await diff(one)
    t.equal(formatChanges(changes), unindent(one.expected), one.title)
    t.ok(changes.some(({ action }) => action === 'renamed'), `${one.title}: a rename is reported`)
    t.notOk(changes.some(({ action }) => /added|removed/.test(action)), `${one.title}: no addition or removal is reported`)
  }
  for (const one of supported(dropAndAdds)) {
    const changes = await diff(one)
    t.equal(formatChanges(changes), unindent(one.expected), one.title)
    t.ok(changes.some(({ action }) => action === 'added'), `${one.title}: an addition is reported`)
  }
})

t.test('a comparison of unrelated databases reports no renames', async (t) => {
  for (const one of supported(renames)) {
    const actions = (await diff(one, 'name')).map(({ action }) => action)
    t.notOk(actions.includes('renamed'), one.title)
    t.ok(actions.length > 0, `${one.title}: the difference is found`)
  }
})

t.test('a routine that still uses the name of a renamed or removed object is reported', async (t) => {
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

t.test('a migration that uses an enum value in the transaction that adds it fails', async (t) => {
  const sql = `
    alter type public.mood add value 'asleep';
    alter table public.pets alter column mood set default 'asleep'`
  await t.rejects(apply({ sql }), { code: '55P04' })
})

t.test('an unchanged database has no differences', async (t) => {
  t.strictSame(await diff({ sql: 'select' }), [])
  const second = await createEmptyDatabase(t)
  await second.owner.query(baseSchema)
  const other = await withClient(clusterAdmin(second.name), readCatalog)
  t.strictSame(diffCatalogs(base, other, 'name'), [], 'a second database with the same schema has none by name')
  t.not(diffCatalogs(base, other, 'id').length, 0, 'its objects have other OIDs')
})

t.test('the result does not depend on the order of the statements', async (t) => {
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
  const inOrder = await diff({ sql: statements.join(';') })
  t.equal(inOrder.filter(({ partOf }) => partOf === null).length, 12)
  t.strictSame(await diff({ sql: statements.toReversed().join(';') }), inOrder)
})

t.test('only dump differences that no change explains remain', async (t) => {
  const before = await dumpSchema(db.target, dumped)
  await client.query('rollback; begin; set local role postgres')
  let applied = 0
  for (const { sql, asSuperuser } of Object.values(casesByKind).flatMap(supported)) {
    if (asSuperuser) continue
    // Some cases fail after the changes of earlier ones; these are skipped.
    await client.query('savepoint one')
    await client.query(sql).then(() => (applied += 1), () => client.query('rollback to savepoint one'))
  }
  await client.query('commit')
  t.ok(applied > 90, `${applied} differences at once`)

  const changes = diffCatalogs(base, await withClient(clusterAdmin(db.name), readCatalog), 'id')
  const after = await dumpSchema(db.target, dumped)
  const remaining = remainingHunks(before, after, changes).map(({ entry }) => entry)
  t.strictSame(remaining, ['TEXT SEARCH CONFIGURATION public.plain'])
  const all = remainingHunks(before, after, [])
  t.ok(all.length > 60, 'without the changes every entry that differs remains')
  t.strictSame(remainingHunks(before, before, []), [])
})

const dumped = { schemas: ['public', 'private', 'billing'] }
