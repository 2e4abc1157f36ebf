import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import t from 'tap'
import { fromRoot } from '../../scripts/core/paths.ts'
import { isComplete } from '../../scripts/operate/prompt/statement.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'

t.setTimeout(600_000)
const db = await createMigratedDatabase(t)

/** Runs `make psql` with a PATH that has no psql. */
async function prompt(input: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, NODE_OPTIONS: '', PATH: '/nonexistent', DATABASE_URL: db.target.dbmateUrl }
  const child = spawn(process.execPath, [fromRoot('build', 'scripts', 'leo.js'), 'psql'], { env, stdio: 'pipe' })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  return { code, stdout, stderr }
}

t.test('a statement ends with a semicolon outside of quotes and comments', (t) => {
  const complete = ['select 1;', 'select 1; select 2;  \n', `select ';';`, 'select $$;$$;', 'select 1; -- end', 'select $a$ $$ ; $a$;', `select 'it''s';`]
  const open = ['', 'select 1', `select ';`, 'select $$;', 'select 1 -- ;', '/* ;', 'select "a;', 'select $a$ ; $$;', `select 'it''s;`]
  for (const text of complete) t.ok(isComplete(text), text)
  for (const text of open) t.notOk(isComplete(text), text)
  t.end()
})

t.test('without psql a prompt prints results as tables and errors as one line', async (t) => {
  const [fine, failed] = await Promise.all([
    prompt(`select 1 as "n",\n  'a\x1bb' as text, null as "none";\ncreate table t (id int); insert into t values (1), (2);\n\\q\nselect 'not reached';\n`),
    prompt(`select 1 /\n  0;\nselect timestamptz '2026-01-01 00:00:00.123456+00' as at\n`),
  ])
  t.equal(fine.code, 0, fine.stderr)
  t.equal(fine.stdout, ' n | text | none\n---+------+------\n 1 | a b  |\n(1 row)\nCREATE\nINSERT 2\n')
  t.match(failed, { code: 1, stderr: /^ERROR: division by zero \(22012\)\n$/ })
  t.match(failed.stdout, '2026-01-01 00:00:00.123456+00', 'the rest is run, also without a semicolon at the end')
})
