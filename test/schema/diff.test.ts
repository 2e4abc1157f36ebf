import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inMermaid } from '../../scripts/schema/render/mermaid.ts'
import { measureMigration } from '../../scripts/schema/measure/measure.ts'
import { failureInMarkdown, inMarkdown, marker, most } from '../../scripts/schema/diff/markdown.ts'
import { sectionsOf } from '../../scripts/schema/diff/sections.ts'
import { inText } from '../../scripts/schema/diff/text.ts'
import { compareTypes } from '../../scripts/schema/types/compare.ts'
import { exitCode, hazards } from '../../scripts/schema/diff/verdict.ts'
import { severities } from '../../scripts/schema/catalog/model.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { runLeo } from '../fixtures/command.ts'
import { createRepository, failure, report, said, world, type Repository } from './fixtures/diff_repository.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

const make = (): Repository => createRepository(t, world)
const timeout = `set local lock_timeout = '3s';`

t.test('what breaks and what loses data is told, each with its reason', async (t) => {
  const one = make()
  one.git('checkout', '--quiet', '-b', 'branch')
  one.write(
    '20270102000000_drop_notes_body.sql',
    `${timeout}\nalter table public.notes drop column body;`,
    `do $$ begin raise exception using errcode = '0A000', message = 'the bodies are gone'; end $$;`,
  )
  one.write(
    '20270103000000_open_notes.sql',
    `alter table public.owners rename column name to full_name;
    -- squawk-ignore require-lock-timeout: nobody uses it yet
    alter table public.notes alter column weight type numeric;
    alter table public.notes disable row level security;
    grant insert on public.notes to anon;
    update public.owners set full_name = 'nobody';
    create text search configuration public.plain (copy = simple);`,
  )
  one.write(
    '20270104000000_add_mood.sql',
    `${timeout}\nalter type public.mood add value 'asleep';`,
    `do $$ begin raise exception using errcode = '0A000', message = 'a value stays'; end $$;`,
  )
  one.commit()
  writeFileSync(join(one.folder, 'sizes.json'), '{"public.notes": {"rows": 2000000, "bytes": 734003200}}')
  const found = await report(one, { sizes: join(one.folder, 'sizes.json') })
  t.equal(found.verdict, 'destructive')
  const reasons = said(found)
  t.equal(reasons[0], 'destructive column public.notes.body: its values are gone')
  const has = (pattern: RegExp) => t.ok(reasons.some((reason) => pattern.test(reason)), `${pattern}`)
  has(/^breaking table public\.notes: row security is off/)
  has(/^breaking grant table public\.notes to anon: anon may insert: that is everybody/)
  has(/^breaking column public\.owners\.full_name: running code calls it name/)
  has(/^breaking Notes\.weight: stops compiling/)
  has(/^breaking Mood: stops compiling: whoever has to name every value/)
  has(/^care 20270103000000_open_notes\.sql:4: rewrites public\.notes/)
  has(/^care 20270104000000_add_mood\.sql: it cannot be rolled back: a value stays \(0A000\)/)
  has(/^care TEXT SEARCH CONFIGURATION public\.plain/)
  t.strictSame(
    found.files?.added.map(({ isCommitted, down: { outcome } }) => [isCommitted, outcome]),
    [[true, 'not reached'], [true, 'not reached'], [true, 'refuses']],
  )
  t.strictSame(found.cells, [
    { table: 'public.notes', role: 'anon', command: 'insert', from: '–', to: 'all rows' },
    {
      ...{ table: 'public.notes', role: 'authenticated', command: 'select' },
      ...{ from: 'rows where (owner_id = 1)', to: 'all rows' },
    },
  ])
  t.match(found.lint?.suppressions, [{ line: 3, rule: 'require-lock-timeout', reason: 'nobody uses it yet' }])
  const finding = found.lint?.findings.find(({ rule }) => rule === 'changing-column-type')
  t.match(finding?.help, /add a column of the new type/, 'squawk finds what nobody silenced, and here is what to do')
  t.ok(found.lint?.advice.some(({ name }) => name === 'rls_disabled_in_public'), 'an advice that base does not have')
  t.equal(found.types.bump, 'major')
  t.match(inText(found, false), 'ACCESS EXCLUSIVE on public.notes (2000000 rows, 700 MiB): blocks reads and writes')
  t.match(found.notes.join('\n'), /First deploy services that no longer use column public\.notes\.body/)
  t.match(inMermaid(found.drawing!), /text body "removed"/)

  const titles = sectionsOf(found).map(({ title }) => title)
  t.strictSame(titles, [
    ...['Files', 'What changes', 'Access', 'Locks', 'Lint', 'Types', 'Rollback'],
    ...["The DBA's notes", 'Picture'],
  ])
  const [text, markdown] = [inText(found, false), inMarkdown(found)]
  for (const title of titles) {
    t.ok(text.includes(`\n${title}: `) && markdown.includes(`<summary>${title}</summary>`), title)
  }

  t.ok(markdown.startsWith(`${marker}\n`), 'the comment is found again')
  t.match(inMarkdown(found, 6000), 'The rest is too long for a comment')
  t.ok(Buffer.byteLength(inMarkdown(found, 6000)) <= 6000)
  const long = { ...found, changes: Array.from({ length: 400 }, () => found.changes).flat() }
  const cut = inMarkdown(long)
  t.ok(Buffer.byteLength(cut) <= most, 'it is cut under what GitHub takes')
  t.match(cut, /\| \*\*What changes\*\* \| \d+ changes/, 'to a summary')
  t.match(cut, '<summary>Locks</summary>', 'and what fits is whole')
})

t.test('a name in a comment calls nobody and is no HTML', async (t) => {
  const text = failureInMarkdown(new Failure('<img src=x> @ada #1 [x](http://y) `@eve|`', 'no'))
  t.notMatch(text, /<img|@ada|#1|\]\(http/)
  t.match(text, '`@eve\\|`')
})

t.test('what is wrong with the files is one line', async (t) => {
  const one = make()
  const [name] = Object.keys(world) as [string]
  const again = (): void => one.write(name, world['20270101000000_create_notes.sql'])
  t.match(await failure(one, { base: 'nowhere' }), 'there is no commit nowhere')
  t.match(await failure(one, { base: '--help' }), 'there is no commit --help')
  for (const base of ['leo:geheim@db.example.com/leo', 'postgress://leo:geheim@db.example.com/leo']) {
    const said = await failure(one, { base })
    t.notMatch(said, 'geheim', 'a URL that went wrong has a password all the same')
  }
  t.match(await failure({ ...one, folder: '/' }), 'no clone of a git repository')

  one.write(name, 'select 1;')
  t.match(await failure(one), `migrations edited, though main`)
  one.remove(name)
  t.match(await failure(one), `migrations deleted or renamed, though main`)
  again()
  one.write('20270101000000_create_tags.sql', 'select 1;')
  t.match(await failure(one), 'whose version is taken: 20270101000000_create_tags.sql')
  one.remove('20270101000000_create_tags.sql')
  one.write('20261231000000_create_tags.sql', 'select 1;')
  t.match(await failure(one), /^migrations out of order: .*20261231000000_create_tags\.sql/)
  one.remove('20261231000000_create_tags.sql')
  one.write('20270102000000_create_tags.sql', 'selct 1;')
  t.match(await failure(one), /^20270102000000_create_tags\.sql:2: syntax error/)
  const broken = createRepository(t, { [name]: 'select 1 / 0;' })
  t.match(await failure(broken), /^main \(\w{7}\) no longer applies: \d+_create_notes\.sql: division by zero/)
  t.match(await failure(one, { sizes: join(one.folder, 'none.json') }), 'none.json cannot be read as JSON')
})

t.test('a pipeline learns by the exit code: 1 for a verdict that it does not take, 2 for no report', async (t) => {
  const codes = severities.map((verdict) => exitCode({ verdict }, 'breaking'))
  t.strictSame(codes, [0, 0, 1, 1])
  t.equal(exitCode({ verdict: 'destructive' }, undefined), 0)
  const db = await createEmptyDatabase(t)
  const nowhere = { BASE: 'nowhere' }
  const [json, markdown, wrong] = await Promise.all([
    runLeo(db, 'diff', ['--json'], nowhere),
    runLeo(db, 'diff', ['--markdown'], nowhere),
    runLeo(db, 'diff', ['--fail-on=nonsense']),
  ])
  t.strictSame([json.code, markdown.code, wrong.code], [2, 2, 2])
  t.match(JSON.parse(json.stdout), { format: 1, error: { message: 'there is no commit nowhere' } })
  t.ok(markdown.stdout.startsWith(marker), 'an old comment does not stay')
  t.match(markdown.stderr, /^error: there is no commit nowhere — .*\n$/)
})

t.test('a consumer is compiled: what it did with the types of base and cannot do with those of head', async (t) => {
  const written = new Map([
    ['ids.ts', `declare const brand: unique symbol; export type PetId = string & { readonly [brand]: 'PetId' }`],
    ['index.ts', `
      import type { Insertable, Selectable, Updateable } from 'kysely'
      import type { DB } from './db.ts'
      export type { DB, Mood, Size, Gone } from './db.ts'
      export type Row<T extends keyof DB> = Selectable<DB[T]>
      export type New<T extends keyof DB> = Insertable<DB[T]>
      export type Patch<T extends keyof DB> = Updateable<DB[T]>`],
  ])
  const [stays, optional] = [null, 'whoever inserts has to name it']
  const [read, write] = ['whoever reads it as what it was', 'whoever writes it as what it was']
  const [readNull, writeNull] = ['whoever reads it has to reckon with null', 'whoever writes null to it']
  const columns: readonly (readonly [from: string | null, to: string | null, breaks: string | null])[] = [
    [null, 'string | null', stays],
    [null, 'Generated<string>', stays],
    [null, 'Generated<string | null>', stays],
    [null, 'ColumnType<string, never, never>', stays],
    [null, 'ColumnType<string | null, string, string>', optional],
    [null, 'string', optional],
    ['string', null, 'whoever names it'],
    ['string', 'Generated<string>', stays],
    ['string', 'Generated<string | null>', readNull],
    ['Generated<string>', 'string', optional],
    ['string', 'string | null', readNull],
    ['string | null', 'string', `${optional}; ${writeNull}`],
    ['Generated<string | null>', 'Generated<string>', writeNull],
    ['number', 'Numeric', read],
    ['number', 'string', 'whoever reads or writes it as what it was'],
    ['string', 'ColumnType<string, string, never>', 'whoever updates it as what it was'],
    ['string | null', 'ColumnType<string | null, never, never>', write],
    ['ColumnType<string, never, never>', 'string', optional],
    ['ColumnType<string | null, never, never>', 'string | null', stays],
    ['string', 'PetId', write],
    ['PetId', 'string', read],
    ['Generated<PetId>', 'Generated<PetId | null>', readNull],
    ['Timestamp', 'ColumnType<Date, Date | string, Date | string>', stays],
    ['Timestamp', 'Date', write],
    ['Mood', 'Size', 'whoever reads or writes it as what it was'],
  ]
  const file = (side: 0 | 1, rest: string): string => `
    import type { PetId } from "./ids.ts";
    import type { ColumnType } from "kysely";
    export type Generated<T> = T extends ColumnType<infer S, infer I, infer U>
      ? ColumnType<S, I | undefined, U>
      : ColumnType<T, T | undefined, T>;
    export type Numeric = ColumnType<string, number | string, number | string>;
    export type Timestamp = ColumnType<Date, Date | string, Date | string>;
    ${rest}
    export interface Pets {
      /**
       * Side ${side}.
       */
      "of old": Mood;
      ${columns.flatMap((one, at) => (one[side] === null ? [] : [`c${10 + at}: ${one[side]};`])).join('\n')}
    }`
  const base = file(0, `
    export type Mood = "calm" | "cross"; export type Size = "s" | "l"; export type Gone = "gone";
    export interface Owners { id: string } export interface DB { pets: Pets; owners: Owners }`)
  const head = file(1, `
    export type Mood = "calm" | "cross" | "glad"; export type Size = "s"; export type New = "new";
    export interface Tags { id: string } export interface DB { pets: Pets; tags: Tags }`)
  const { changes, bump } = compareTypes({ db: base, written }, { db: head, written })
  const found = new Map(changes.map(({ type, member, breaks }) => [`${type}.${member ?? ''}`, breaks]))
  t.equal(bump, 'major')
  t.strictSame(
    columns.map(([from, to], at) => [from, to, found.get(`Pets.c${10 + at}`)]),
    columns,
  )
  t.strictSame(Object.fromEntries([...found].filter(([name]) => !name.startsWith('Pets.c'))), {
    'DB.owners': 'whoever names the table',
    'DB.tags': stays,
    'Gone.': 'whoever imports it',
    'Mood.': 'whoever has to name every value: a switch or a Record over it',
    'New.': stays,
    'Owners.': stays,
    'Size.': 'whoever names a value that is gone',
    'Tags.': stays,
  }, 'a column of a changed enum is not told again')

  const same = base.replace('Side 0', 'Another comment')
  t.strictSame(compareTypes({ db: base, written }, { db: same, written }), { changes: [], bump: 'none' })
  const more = base.replace('"of old"', 'nick: string | null; "of old"')
  t.equal(compareTypes({ db: base, written }, { db: more, written }).bump, 'minor')
  const fewer = new Map([...written, ['index.ts', written.get('index.ts')!.replace('Mood, ', '')]])
  t.match(compareTypes({ db: base, written }, { db: base, written: fewer }).changes, [
    { type: 'Mood', breaks: 'whoever imports it' },
  ])
})

t.test('a lock of an earlier statement makes a later scan one that others wait for', async (t) => {
  const db = await createEmptyDatabase(t)
  await db.owner.query('create table public.pets (id int, constraint pets_id_check check (id > 0) not valid)')
  const validate = 'alter table public.pets validate constraint pets_id_check;'
  const found = async (up: string): Promise<string[]> => {
    const migration = { file: '20270101000000_make_it.sql', source: '-- migrate:up\n', up, transaction: true }
    const effects = await measureMigration(db.owner, migration as Parameters<typeof measureMigration>[1])
    return hazards(effects).flatMap((all) => all.map(({ what }) => what))
  }
  t.strictSame(await found(validate), [])
  await db.owner.query(`
    alter table public.pets drop constraint pets_id_check, add constraint pets_id_check check (id > 0) not valid`)
  t.strictSame(await found(`alter table public.pets add column name text; ${validate}`), [
    'reads all of public.pets while others wait for it',
  ])
})
