import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { Failure } from '../../scripts/core/failure.ts'
import { readMigrations } from '../../scripts/migrate/migrations.ts'
import { createFunctionMigration, routinesIn } from '../../scripts/migrate/new-function.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { runLeo } from '../fixtures/command.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

const body = (word: string): string => `returns text\nlanguage sql\nas $$ select '${word}' $$`
const definitions: Readonly<Record<string, string>> = {
  '20260101000000_create_words.sql': `-- migrate:up
-- Größe, in more bytes than characters.
create function private.word(p_size integer) ${body('Größe')};
create function private.word(p_sizes bigint[], out word text) language sql as $$ select 'many' $$;
create function public.other_word() ${body('first')};
create function private.tg_words__count() returns trigger language plpgsql as $$ begin return null; end $$;
create procedure private.count_words() language sql as $$ select 1 $$;
create function private.gone() ${body('gone')};

-- migrate:down
select 1;
`,
  '20260102000000_change_words.sql': `-- migrate:up
-- A comment above it.
CREATE OR REPLACE FUNCTION public.other_word() ${body('second')};
drop function private.gone();

-- migrate:down
select 1;
`,
}

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await Promise.all(Object.entries(definitions).map(([name, text]) => writeFile(join(folder, name), text)))
  return folder
}

t.test('the definitions in the migrations are those of a migrated database', async (t) => {
  const { owner, target } = await createMigratedDatabase(t)
  const whole = await dumpSchema(target)
  const routines = await routinesIn(await readMigrations())
  const { rows } = await owner.query<{ missing: string[]; unknown: string[] }>(
    `with defined as (select signature, to_regprocedure(signature) as id from unnest($1::text[]) as signature),
       present as (select oid::regprocedure as id from pg_proc where pronamespace in ('public'::regnamespace, 'private'::regnamespace))
     select array(select signature from defined where id is null) as missing,
       array(select id::text from present where id not in (select id from defined where id is not null)) as unknown`,
    [routines.map(({ signature }) => signature)],
  )
  t.strictSame(rows, [{ missing: [], unknown: [] }])
  for (const { sql } of routines) await owner.query(sql)
  t.equal(await dumpSchema(target), whole, 'replacing a function with its own definition does not change the schema')
})

t.test('a migration that changes a function starts with its newest definition in both sections', async (t) => {
  const folder = await folderOf(t)
  const now = new Date('2026-02-01T00:00:00Z')
  const written = async (wanted: string, name?: string): Promise<string> => {
    const file = await createFunctionMigration(wanted, name, folder, now)
    const migration = (await readMigrations(folder)).find((one) => one.file === file)!
    t.equal(migration.up.trim(), migration.down.trim(), wanted)
    const text = await readFile(file, 'utf8')
    await rm(file)
    return `${basename(file)}: ${text.slice(text.indexOf('create or replace'), text.indexOf(';\n\n-- migrate:down'))}`
  }
  const file = (name: string): string => `20260201000000_${name}.sql: create or replace`
  t.equal(await written('other_word'), `${file('change_other_word')} FUNCTION public.other_word() ${body('second')}`)
  t.equal(await written('public.other_word', 'shorten_word'), `${file('shorten_word')} FUNCTION public.other_word() ${body('second')}`)
  t.equal(await written('word(integer)'), `${file('change_word')} function private.word(p_size integer) ${body('Größe')}`)
  t.match(await written('private.word( bigint[] )'), "select 'many'")
  t.match(await written('count_words'), `${file('change_count_words')} procedure private.count_words()`)
  t.match(await written('tg_words__count'), `${file('change_tg_words_count')} function private.tg_words__count()`)
})

t.test('a name that is unknown or ambiguous is refused in one line', async (t) => {
  const folder = await folderOf(t)
  const failure = async (wanted: string): Promise<Failure> =>
    createFunctionMigration(wanted, undefined, folder).then(
      () => t.fail(wanted),
      (error: Failure) => error,
    ) as Promise<Failure>
  for (const wanted of ['gone', 'wor', 'word(text)', 'public.word', 'word()']) {
    t.match(await failure(wanted), { name: 'Failure', message: `there is no function ${wanted} in the migrations` })
  }
  t.match(await failure('word'), {
    message: 'word can be private.word(integer) or private.word(bigint[])',
    remedy: `choose one: make new function='private.word(integer)'`,
  })
})

t.test('make new function=… as a command', async (t) => {
  const db = await createMigratedDatabase(t)
  const ended = await runLeo(db, 'new', ['--function=claim'])
  t.match(ended, { code: 1, stdout: '', stderr: /^error: there is no function claim in the migrations — .*\n$/ })
  t.match(await runLeo(db, 'new', []), { code: 1, stderr: /^error: no name is given — .*\n$/ })
})
