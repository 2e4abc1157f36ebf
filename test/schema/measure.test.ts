import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { measureMigration, type StatementEffect } from '../../scripts/schema/measure/measure.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { column } from '../fixtures/column.ts'

t.test('locks, rewrites, scans and writes of a migration are measured for each statement', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'leo-measure-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const db = await createEmptyDatabase(t)
  await db.owner.query(`
    create table parent (id integer primary key);
    create table child (id integer, parent_id integer, note text);
    insert into parent select generate_series(1, 20);
    insert into child select n, n, 'x' from generate_series(1, 20) as n`)
  const measured = async (up: string, transaction = true): Promise<StatementEffect[]> => {
    const source = `-- migrate:up${transaction ? '' : ' transaction:false'}\n${up}\n\n-- migrate:down\nselect 1;\n`
    await writeFile(join(folder, '20300101000000_do_it.sql'), source)
    const [migration] = await readMigrations(folder)
    return measureMigration(db.owner, migration!)
  }
  const noEffect = { locks: [], rewrites: [], scans: [], indexes: [], writes: [], isConcurrent: false }
  const effect = (line: number, sql: string, what: Partial<StatementEffect>) => ({ line, sql, ...noEffect, ...what })
  const child = 'public.child'
  const strongest = [{ table: child, mode: 'ACCESS EXCLUSIVE' }] as const

  const link = 'alter table child add constraint child_parent_id_fkey foreign key (parent_id) references parent (id)'
  t.strictSame(await measured(`set local lock_timeout = '3s';\n\n-- é: counted in bytes\n${link} not valid;`), [
    effect(2, "set local lock_timeout = '3s'", {}),
    effect(5, `${link} not valid`, {
      locks: [{ table: child, mode: 'SHARE ROW EXCLUSIVE' }, { table: 'public.parent', mode: 'SHARE ROW EXCLUSIVE' }],
    }),
  ])
  t.match(await measured('alter table child validate constraint child_parent_id_fkey;'), [
    { locks: [{ table: child, mode: 'SHARE UPDATE EXCLUSIVE' }, { table: 'public.parent', mode: 'ROW SHARE' }], scans: [child, 'public.parent'] },
  ])
  t.strictSame(await measured('alter table child alter column id type bigint;'), [
    effect(2, 'alter table child alter column id type bigint', { locks: strongest, rewrites: [child], scans: [child] }),
  ])
  t.strictSame(await measured('alter table child alter column id set not null;\nalter table child add column more text;'), [
    effect(2, 'alter table child alter column id set not null', { locks: strongest, scans: [child] }),
    effect(3, 'alter table child add column more text', {}),
  ])
  t.match(await measured(`do $$ begin execute 'alter table child add column hidden integer default random()'; end $$;`), [
    { locks: strongest, rewrites: [child] },
  ])
  t.match(await measured('do $$ begin if exists (select from child) then update child set note = note where id = 1; end if; end $$;'), [
    { locks: [{ table: child, mode: 'ROW EXCLUSIVE' }], rewrites: { length: 0 }, writes: [child] },
  ])
  t.strictSame(await measured('do $$ begin perform from child limit 1; end $$;'), [
    effect(2, 'do $$ begin perform from child limit 1; end $$', { locks: [{ table: child, mode: 'ACCESS SHARE' }] }),
  ])
  t.strictSame(await measured('create table mine (id integer);\nalter table mine alter column id type bigint;'), [
    effect(2, 'create table mine (id integer)', {}),
    effect(3, 'alter table mine alter column id type bigint', {}),
  ])
  t.match(await measured('create index concurrently child_note_idx on child (note);', false), [
    { isConcurrent: true, locks: [{ table: child, mode: 'SHARE UPDATE EXCLUSIVE' }], indexes: [{ name: 'public.child_note_idx', table: child }] },
  ])
  t.match(await measured('drop index concurrently if exists child_note_idx;', false), [
    { isConcurrent: true, locks: [{ table: child, mode: 'SHARE UPDATE EXCLUSIVE' }], indexes: { length: 0 } },
  ])
  await t.rejects(measured('create table gone ();\nalter table absent add column id integer;'), { name: 'Failure', message: /:3: .*42P01/ })
  t.strictSame(await column(db.owner, `select to_regclass('gone')::text`), [null])
})
