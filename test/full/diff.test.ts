import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { formatMermaid } from '../../scripts/schema/render/mermaid.ts'
import { formatMarkdown, maxBytes } from '../../scripts/schema/diff/markdown.ts'
import type { Report } from '../../scripts/schema/diff/report.ts'
import { formatText } from '../../scripts/schema/diff/text.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { temporaryFolder } from '../fixtures/temporary_folder.ts'
import {
  baseSchema, createRepository, failure, formatReasons, report, type Repository,
} from '../schema/fixtures/diff_repository.ts'

t.setTimeout(10 * 60_000)

const make = (): Repository => createRepository(t, baseSchema)
const timeout = `set local lock_timeout = '3s';`

t.test('a change without effect on existing code is additive, and head includes what main added since', async (t) => {
  const one = make()
  one.git('checkout', '--quiet', '-b', 'branch')
  one.git('checkout', '--quiet', 'main')
  one.write('20270102000000_comment_notes.sql', `comment on table public.notes is 'Notes.';`)
  one.commit()
  one.git('checkout', '--quiet', 'branch')
  one.write('20270101120000_comment_owners.sql', `comment on table public.owners is 'People.';`)
  t.match(await failure(one), 'out of order: main')
  one.remove('20270101120000_comment_owners.sql')
  one.write(
    '20270103000000_add_notes_title.sql',
    `${timeout}\nalter table public.notes add column title text;`,
    `${timeout}\nalter table public.notes drop column title;`,
  )
  const found = await report(one)
  t.strictSame(formatReasons(found), [])
  t.equal(found.verdict, 'additive')
  t.equal(found.head, 'the work tree')
  t.strictSame(found.files?.ahead, ['20270102000000_comment_notes.sql'])
  t.strictSame(found.changes.map(({ object }) => object), ['public.notes.title'])
  const down = { outcome: 'undoes', mayRefuse: false }
  t.match(found.files?.added, [{ isCommitted: false, transaction: true, down }])
  const locks = [{ table: 'public.notes', mode: 'ACCESS EXCLUSIVE' }]
  t.match(found.locks, [{ effects: [{}, { locks, rewrites: { length: 0 } }] }])
  t.strictSame(found.types, {
    changes: [{ type: 'Notes', member: 'title', from: null, to: 'string | null', breaks: null }],
    bump: 'minor',
  })
  t.strictSame([found.rollback?.afterDown, found.rollback?.afterUp], [[], []])
  t.strictSame(found.rollback?.losses, ['column public.notes.title: a rollback drops the data written to it since'])
  t.match(found.notes[0], /^First run `make migrate`, then deploy the services/)
  t.match(formatText(found, false), /^Access: no changes$/m)
  const again = await report(one)
  t.equal(JSON.stringify(again), JSON.stringify(found), 'a second run gives the same report')
  for (const form of [(of: Report) => formatText(of, false), formatMarkdown]) t.equal(form(again), form(found))
  t.match(formatMermaid(found.drawing!), /public_notes\["public\.notes \(changed\)"\] \{\n {4}text title "added"/)
})

t.test('a database is compared with the repository, by name', async (t) => {
  const one = make()
  const db = await createEmptyDatabase(t)
  await db.owner.query(Object.values(baseSchema).join(';'))
  await db.owner.query(`
    create schema dbmate; create table dbmate.schema_migrations (version text);
    alter default privileges for role postgres grant usage on sequences to service_role;
    alter default privileges for role postgres revoke usage on sequences from service_role`)
  await db.owner.query(`
    alter table public.notes add column extra text;
    alter table public.owners disable row level security`)
  const found = await report(one, { base: 'main', head: db.target.dbmateUrl })
  t.equal(found.head, db.target.label, 'the label has no password')
  t.strictSame(
    found.changes.map(({ action, object }) => `${action} ${object}`),
    ['added public.notes.extra', 'changed public.owners'],
    'the other objects of the database are in the repository',
  )
  t.strictSame([found.locks, found.rollback, found.lint, found.files], [null, null, null, null])
  t.match(formatText(found, false), /^Locks: not measured/m)
})

t.test('a migration that fails is an error with its file and line, and there is no report', async (t) => {
  const one = make()
  one.write('20270102000000_create_tags.sql', 'select 1;\nalter table public.nowhere add column a int;')
  t.match(await failure(one), /^20270102000000_create_tags\.sql:3: relation "public\.nowhere" does not exist \(42P01\)/)
})

t.test('a shallow clone without the merge base is an error, one with the merge base works', async (t) => {
  const one = make()
  one.git('checkout', '--quiet', '-b', 'branch')
  one.write('20270103000000_comment_owners.sql', `comment on table public.owners is 'People.';`)
  one.commit()
  one.git('checkout', '--quiet', 'main')
  one.write('20270102000000_comment_notes.sql', `comment on table public.notes is 'Notes.';`)
  one.commit()
  const folder = temporaryFolder(t)
  const clone = (depth: number): Repository => {
    const at = join(folder, `${depth}`)
    execFileSync('git', ['clone', '--quiet', '--no-single-branch', `--depth=${depth}`, `file://${one.folder}`, at])
    return { ...one, folder: at }
  }
  const sides = { base: 'origin/main', head: 'origin/branch' }
  t.match(await failure(clone(1), sides), /^this shallow clone does not contain the merge base of origin\/main/)
  t.strictSame((await report(clone(2), sides)).files?.ahead, ['20270102000000_comment_notes.sql'])
  execFileSync('git', ['-C', join(folder, '2'), 'checkout', '--quiet', '--detach', 'origin/branch'])
  const detached = await report({ ...one, folder: join(folder, '2') }, { base: 'origin/main' })
  t.strictSame(detached.files?.added.map(({ isCommitted }) => isCommitted), [true])
})

t.test('a diff that adds the whole schema fits into a GitHub comment', async (t) => {
  const one = make()
  for (const name of Object.keys(baseSchema)) one.remove(name)
  const [first, ...others] = readdirSync(fromRoot('db', 'migrations')).filter((name) => name.endsWith('.sql')).sort()
  const addMigration = (name: string): void =>
    cpSync(fromRoot('db', 'migrations', name), join(one.folder, 'db', 'migrations', name))
  addMigration(first!)
  one.commit()
  for (const name of others) addMigration(name)
  const found = await report(one)
  const comment = formatMarkdown(found)
  t.ok(comment.length <= maxBytes && Buffer.byteLength(comment) <= maxBytes)
  t.ok(JSON.stringify(found).length > 4 * maxBytes, 'the full report is longer than a comment can be')
  t.match(comment, /^## .* Schema: /m)
  t.match(comment, /\| \*\*Locks\*\* \| /)
})

// --- The command line

interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `make diff` of this repository with its own temporary folder. */
function start(temporary: string, env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [fromRoot('build', 'scripts', 'leo.js'), 'diff'], {
    env: { ...process.env, NODE_OPTIONS: '', TMPDIR: temporary, BASE: 'HEAD', HEAD: 'HEAD', ...env },
  })
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { child, ended: ended.then(([[code], stdout, stderr]): Result => ({ code: code as number | null, stdout, stderr })) }
}

t.test('two concurrent runs give the same report and leave no files', async (t) => {
  const folder = temporaryFolder(t)
  const runs = await Promise.all([start(folder).ended, start(folder).ended])
  for (const { code, stderr } of runs) t.strictSame([code, stderr], [0, ''])
  t.equal(runs[0]!.stdout, runs[1]!.stdout)
  t.strictSame(readdirSync(folder), [])
})

t.test('SIGINT at any time leaves no server and no file, and prints no partial report', async (t) => {
  for (const after of [300, 900, 1500, 2500, 3500]) {
    const folder = temporaryFolder(t)
    const { child, ended } = start(folder)
    setTimeout(() => child.kill('SIGINT'), after)
    const { code, stdout } = await ended
    t.ok(code === 130 || code === null || (code === 0 && after > 2000), `exit code ${code} after ${after} ms`)
    if (code !== 0) t.equal(stdout, '')
    t.strictSame(readdirSync(folder), [], `after ${after} ms`)
  }
})

t.test('a full temporary folder is a one-line error', { skip: process.getuid?.() !== 0 && 'only root can mount' }, async (t) => {
  const folder = temporaryFolder(t)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return t.pass('cannot mount a tmpfs here')
  }
  t.teardown(() => execFileSync('umount', [folder]))
  const { code, stdout, stderr } = await start(folder).ended
  t.strictSame([code, stdout], [2, ''])
  t.match(stderr, /^error: the temporary folder .* cannot be used: ENOSPC — .*\n$/)
  t.strictSame(readdirSync(folder), [])
})

t.test('a report that cannot be written is an error', { skip: !existsSync('/dev/full') && 'no full disk here' }, async (t) => {
  const run = spawnSync('sh', ['-c', `"${process.execPath}" "${fromRoot('build', 'scripts', 'leo.js')}" diff > /dev/full`], {
    env: { ...process.env, NODE_OPTIONS: '', BASE: 'HEAD', HEAD: 'HEAD' },
    encoding: 'utf8',
  })
  t.strictSame([run.status, run.stderr.split(' — ')[0]], [2, 'error: the report cannot be written: ENOSPC'])
})
