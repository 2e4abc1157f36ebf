import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatMermaid } from '../../scripts/schema/render/mermaid.ts'
import { measureMigration } from '../../scripts/schema/measure/measure.ts'
import { formatFailure, formatMarkdown, marker, maxBytes } from '../../scripts/schema/diff/markdown.ts'
import { sectionsOf } from '../../scripts/schema/diff/sections.ts'
import { formatText } from '../../scripts/schema/diff/text.ts'
import { compareTypes } from '../../scripts/schema/types/compare.ts'
import { exitCode, hazards } from '../../scripts/schema/diff/verdict.ts'
import { severities } from '../../scripts/schema/catalog/model.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { runLeo } from '../fixtures/command.ts'
import { baseSchema, createRepository, failure, formatReasons, report, type Repository } from './fixtures/diff_repository.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

const make = (): Repository => createRepository(t, baseSchema)
const timeout = `set local lock_timeout = '3s';`

t.test('breaking and destructive changes are reported, each with its reason', async (t) => {
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
    -- squawk-ignore require-lock-timeout: no service uses it yet
    alter table public.notes alter column weight type numeric;
    alter table public.notes disable row level security;
    grant insert on public.notes to anon;
    update public.owners set full_name = 'nobody';
    create text search configuration public.plain (copy = simple);`,
  )
  one.write(
    '20270104000000_add_mood.sql',
    `${timeout}\nalter type public.mood add value 'asleep';`,
    `do $$ begin raise exception using errcode = '0A000', message = 'a value compatible'; end $$;`,
  )
  one.commit()
  writeFileSync(join(one.folder, 'sizes.json'), '{"public.notes": {"rows": 2000000, "bytes": 734003200}}')
  const found = await report(one, { sizes: join(one.folder, 'sizes.json') })
  t.equal(found.verdict, 'destructive')
  const reasons = formatReasons(found)
  t.equal(reasons[0], 'destructive column public.notes.body: its values are gone')
  const has = (pattern: RegExp) => t.ok(reasons.some((reason) => pattern.test(reason)), `${pattern}`)
  has(/^breaking table public\.notes: row security is off/)
  has(/^breaking grant table public\.notes to anon: anon may insert: that is everybody/)
  has(/^breaking column public\.owners\.full_name: running code calls it name/)
  has(/^breaking Notes\.weight: stops compiling/)
  has(/^breaking Mood: stops compiling: code that must list every value/)
  has(/^care 20270103000000_open_notes\.sql:4: rewrites public\.notes/)
  has(/^care 20270104000000_add_mood\.sql: it cannot be rolled back: a value compatible \(0A000\)/)
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
  t.match(found.lint?.suppressions, [{ line: 3, rule: 'require-lock-timeout', reason: 'no service uses it yet' }])
  const finding = found.lint?.findings.find(({ rule }) => rule === 'changing-column-type')
  t.match(finding?.help, /add a column of the new type/, 'an unsuppressed finding has an alternative')
  t.ok(found.lint?.advice.some(({ name }) => name === 'rls_disabled_in_public'), 'advice that does not apply to base is reported')
  t.equal(found.types.bump, 'major')
  t.match(formatText(found, false), 'ACCESS EXCLUSIVE on public.notes (2000000 rows, 700 MiB): blocks reads and writes')
  t.match(found.notes.join('\n'), /First deploy services that no longer use column public\.notes\.body/)
  t.match(formatMermaid(found.drawing!), /text body "removed"/)

  const titles = sectionsOf(found).map(({ title }) => title)
  t.strictSame(titles, [
    ...['Files', 'Changes', 'Access', 'Locks', 'Lint', 'Types', 'Rollback'],
    ...['Deployment notes', 'Diagram'],
  ])
  const [text, markdown] = [formatText(found, false), formatMarkdown(found)]
  for (const title of titles) {
    t.ok(text.includes(`\n${title}: `) && markdown.includes(`<summary>${title}</summary>`), title)
  }

  t.ok(markdown.startsWith(`${marker}\n`), 'the comment starts with the marker')
  t.match(formatMarkdown(found, 6000), 'The report is too long for a comment')
  t.ok(Buffer.byteLength(formatMarkdown(found, 6000)) <= 6000)
  const long = { ...found, changes: Array.from({ length: 400 }, () => found.changes).flat() }
  const shortened = formatMarkdown(long)
  t.ok(Buffer.byteLength(shortened) <= maxBytes, 'it is shortened to the limit of GitHub')
  t.match(shortened, /\| \*\*Changes\*\* \| \d+ changes/, 'a section that does not fit is summarized')
  t.match(shortened, '<summary>Locks</summary>', 'a section that fits is complete')
})

t.test('names in a comment do not mention users and are not HTML', async (t) => {
  const text = formatFailure(new Failure('<img src=x> @ada #1 [x](http://y) `@eve|`', 'no'))
  t.notMatch(text, /<img|@ada|#1|\]\(http/)
  t.match(text, '`@eve\\|`')
})

t.test('an error in the files is reported in one line', async (t) => {
  const one = make()
  const [name] = Object.keys(baseSchema) as [string]
  const restore = (): void => one.write(name, baseSchema['20270101000000_create_notes.sql'])
  t.match(await failure(one, { base: 'nowhere' }), 'there is no commit nowhere')
  t.match(await failure(one, { base: '--help' }), 'there is no commit --help')
  for (const base of ['leo:geheim@db.example.com/leo', 'postgress://leo:geheim@db.example.com/leo']) {
    t.notMatch(await failure(one, { base }), 'geheim', 'the password in a mistyped URL is not printed')
  }
  t.match(await failure({ ...one, folder: '/' }), 'not in a git repository')

  one.write(name, 'select 1;')
  t.match(await failure(one), /^migrations that main .* already has were edited: /)
  one.remove(name)
  t.match(await failure(one), /^migrations that main .* already has were deleted or renamed: /)
  restore()
  one.write('20270101000000_create_tags.sql', 'select 1;')
  t.match(await failure(one), 'use a version that is taken: 20270101000000_create_tags.sql')
  one.remove('20270101000000_create_tags.sql')
  one.write('20261231000000_create_tags.sql', 'select 1;')
  t.match(await failure(one), /^migrations are out of order: .*20261231000000_create_tags\.sql/)
  one.remove('20261231000000_create_tags.sql')
  one.write('20270102000000_create_tags.sql', 'selct 1;')
  t.match(await failure(one), /^20270102000000_create_tags\.sql:2: syntax error/)
  const broken = createRepository(t, { [name]: 'select 1 / 0;' })
  t.match(await failure(broken), /^the migrations of main \(\w{7}\) fail: \d+_create_notes\.sql: division by zero/)
  t.match(await failure(one, { sizes: join(one.folder, 'none.json') }), 'none.json cannot be read as JSON')
})

t.test('the exit code is 1 for a verdict at the limit, and 2 when there is no report', async (t) => {
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
  t.ok(markdown.stdout.startsWith(marker), 'the failure replaces an earlier comment')
  t.match(markdown.stderr, /^error: there is no commit nowhere — .*\n$/)
})

t.test('code that compiles with the types of base and not with those of head is reported', async (t) => {
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
  const [compatible, required] = [null, 'code that inserts without it']
  const [read, write] = ['code that reads it with the old type', 'code that writes it with the old type']
  const [readNull, writeNull] = ['code that reads it and does not handle null', 'code that writes null to it']
  const columns: readonly (readonly [from: string | null, to: string | null, breaks: string | null])[] = [
    [null, 'string | null', compatible],
    [null, 'Generated<string>', compatible],
    [null, 'Generated<string | null>', compatible],
    [null, 'ColumnType<string, never, never>', compatible],
    [null, 'ColumnType<string | null, string, string>', required],
    [null, 'string', required],
    ['string', null, 'code that uses it'],
    ['string', 'Generated<string>', compatible],
    ['string', 'Generated<string | null>', readNull],
    ['Generated<string>', 'string', required],
    ['string', 'string | null', readNull],
    ['string | null', 'string', `${required}; ${writeNull}`],
    ['Generated<string | null>', 'Generated<string>', writeNull],
    ['number', 'Numeric', read],
    ['number', 'string', 'code that reads or writes it with the old type'],
    ['string', 'ColumnType<string, string, never>', 'code that updates it with the old type'],
    ['string | null', 'ColumnType<string | null, never, never>', write],
    ['ColumnType<string, never, never>', 'string', required],
    ['ColumnType<string | null, never, never>', 'string | null', compatible],
    ['string', 'PetId', write],
    ['PetId', 'string', read],
    ['Generated<PetId>', 'Generated<PetId | null>', readNull],
    ['Timestamp', 'ColumnType<Date, Date | string, Date | string>', compatible],
    ['Timestamp', 'Date', write],
    ['Mood', 'Size', 'code that reads or writes it with the old type'],
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
    'DB.owners': 'code that uses the table',
    'DB.tags': compatible,
    'Gone.': 'code that imports it',
    'Mood.': 'code that must list every value: an exhaustive switch or a Record',
    'New.': compatible,
    'Owners.': compatible,
    'Size.': 'code that uses a removed value',
    'Tags.': compatible,
  }, 'the columns of a changed enum are not reported again')

  const same = base.replace('Side 0', 'Another comment')
  t.strictSame(compareTypes({ db: base, written }, { db: same, written }), { changes: [], bump: 'none' })
  const more = base.replace('"of old"', 'nick: string | null; "of old"')
  t.equal(compareTypes({ db: base, written }, { db: more, written }).bump, 'minor')
  const fewer = new Map([...written, ['index.ts', written.get('index.ts')!.replace('Mood, ', '')]])
  t.match(compareTypes({ db: base, written }, { db: base, written: fewer }).changes, [
    { type: 'Mood', breaks: 'code that imports it' },
  ])
})

t.test('a scan is a hazard when an earlier statement has locked the table', async (t) => {
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
    'scans public.pets while other sessions wait for its lock',
  ])
})
