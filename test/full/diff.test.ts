import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { inMermaid } from '../../scripts/schema/render/mermaid.ts'
import { inMarkdown, most } from '../../scripts/schema/diff/markdown.ts'
import type { Report } from '../../scripts/schema/diff/report.ts'
import { inText } from '../../scripts/schema/diff/text.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { createRepository, failure, report, said, world, type Repository } from '../schema/fixtures/diff_repository.ts'

t.setTimeout(10 * 60_000)

const make = (): Repository => createRepository(t, world)
const timeout = `set local lock_timeout = '3s';`

t.test('what nobody notices is additive, and where main went on meanwhile head is what merging makes', async (t) => {
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
  t.strictSame(said(found), [])
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
  t.strictSame(found.rollback?.losses, ['column public.notes.title: a rollback drops what was written to it since'])
  t.match(found.notes[0], /^First `make migrate`, then the services/)
  t.match(inText(found, false), /^Access: nothing changes$/m)
  const again = await report(one)
  t.equal(JSON.stringify(again), JSON.stringify(found), 'the same each time')
  for (const form of [(of: Report) => inText(of, false), inMarkdown]) t.equal(form(again), form(found))
  t.match(inMermaid(found.drawing!), /public_notes\["public\.notes \(changed\)"\] \{\n {4}text title "added"/)
})

t.test('a database is compared with the repository, by name', async (t) => {
  const one = make()
  const db = await createEmptyDatabase(t)
  await db.owner.query(Object.values(world).join(';'))
  await db.owner.query(`
    create schema dbmate; create table dbmate.schema_migrations (version text);
    alter default privileges for role postgres grant usage on sequences to service_role;
    alter default privileges for role postgres revoke usage on sequences from service_role`)
  await db.owner.query(`
    alter table public.notes add column extra text;
    alter table public.owners disable row level security`)
  const found = await report(one, { base: 'main', head: db.target.dbmateUrl })
  t.equal(found.head, db.target.label, 'without its password')
  t.strictSame(
    found.changes.map(({ action, object }) => `${action} ${object}`),
    ['added public.notes.extra', 'changed public.owners'],
    'all else that is there is in the repository',
  )
  t.strictSame([found.locks, found.rollback, found.lint, found.files], [null, null, null, null])
  t.match(inText(found, false), /^Locks: not measured/m)
})

t.test('a migration that fails half way leaves no half report', async (t) => {
  const one = make()
  one.write('20270102000000_create_tags.sql', 'select 1;\nalter table public.nowhere add column a int;')
  t.match(await failure(one), /^20270102000000_create_tags\.sql:3: relation "public\.nowhere" does not exist \(42P01\)/)
})

t.test('a shallow clone that does not know where the two parted says so, and one that need not know works', async (t) => {
  const one = make()
  one.git('checkout', '--quiet', '-b', 'branch')
  one.write('20270103000000_comment_owners.sql', `comment on table public.owners is 'People.';`)
  one.commit()
  one.git('checkout', '--quiet', 'main')
  one.write('20270102000000_comment_notes.sql', `comment on table public.notes is 'Notes.';`)
  one.commit()
  const folder = mkdtempSync(join(tmpdir(), 'diff-test-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const clone = (depth: number): Repository => {
    const at = join(folder, `${depth}`)
    execFileSync('git', ['clone', '--quiet', '--no-single-branch', `--depth=${depth}`, `file://${one.folder}`, at])
    return { ...one, folder: at }
  }
  const sides = { base: 'origin/main', head: 'origin/branch' }
  t.match(await failure(clone(1), sides), /^this shallow clone does not know where origin\/main/)
  t.strictSame((await report(clone(2), sides)).files?.ahead, ['20270102000000_comment_notes.sql'])
  execFileSync('git', ['-C', join(folder, '2'), 'checkout', '--quiet', '--detach', 'origin/branch'])
  const detached = await report({ ...one, folder: join(folder, '2') }, { base: 'origin/main' })
  t.strictSame(detached.files?.added.map(({ isCommitted }) => isCommitted), [true])
})

t.test('a diff in which all is new fits into a comment', async (t) => {
  const one = make()
  for (const name of Object.keys(world)) one.remove(name)
  const [first, ...others] = readdirSync(fromRoot('db', 'migrations')).filter((name) => name.endsWith('.sql')).sort()
  const lay = (name: string): void => cpSync(fromRoot('db', 'migrations', name), join(one.folder, 'db', 'migrations', name))
  lay(first!)
  one.commit()
  for (const name of others) lay(name)
  const found = await report(one)
  const comment = inMarkdown(found)
  t.ok(comment.length <= most && Buffer.byteLength(comment) <= most)
  t.ok(JSON.stringify(found).length > 4 * most, 'of a report that is far longer')
  t.match(comment, /^## .* Schema: /m)
  t.match(comment, /\| \*\*Locks\*\* \| /)
})

// --- As it is run

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `make diff` of this repository, with a temporary folder of its own. */
function start(temporary: string, env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [fromRoot('build', 'scripts', 'leo.js'), 'diff'], {
    env: { ...process.env, NODE_OPTIONS: '', TMPDIR: temporary, BASE: 'HEAD', HEAD: 'HEAD', ...env },
  })
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { child, ended: ended.then(([[code], stdout, stderr]): Run => ({ code: code as number | null, stdout, stderr })) }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'diff-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

t.test('two at once do not disturb each other, and leave nothing', async (t) => {
  const folder = temporaryFolder()
  const runs = await Promise.all([start(folder).ended, start(folder).ended])
  for (const { code, stderr } of runs) t.strictSame([code, stderr], [0, ''])
  t.equal(runs[0]!.stdout, runs[1]!.stdout)
  t.strictSame(readdirSync(folder), [])
})

t.test('Ctrl-C at any time leaves no server, no file and no half report', async (t) => {
  for (const after of [300, 900, 1500, 2500, 3500]) {
    const folder = temporaryFolder()
    const { child, ended } = start(folder)
    setTimeout(() => child.kill('SIGINT'), after)
    const { code, stdout } = await ended
    t.ok(code === 130 || code === null || (code === 0 && after > 2000), `after ${after} ms it ends with ${code}`)
    if (code !== 0) t.equal(stdout, '')
    t.strictSame(readdirSync(folder), [], `after ${after} ms`)
  }
})

t.test('a full temporary folder is a line', { skip: process.getuid?.() !== 0 && 'only root can mount' }, async (t) => {
  const folder = temporaryFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return t.pass('not here')
  }
  t.teardown(() => execFileSync('umount', [folder]))
  const { code, stdout, stderr } = await start(folder).ended
  t.strictSame([code, stdout], [2, ''])
  t.match(stderr, /^error: the temporary folder .* cannot be used: ENOSPC — .*\n$/)
  t.strictSame(readdirSync(folder), [])
})

t.test('a report that cannot be written is none', { skip: !existsSync('/dev/full') && 'no full disk here' }, async (t) => {
  const run = spawnSync('sh', ['-c', `"${process.execPath}" "${fromRoot('build', 'scripts', 'leo.js')}" diff > /dev/full`], {
    env: { ...process.env, NODE_OPTIONS: '', BASE: 'HEAD', HEAD: 'HEAD' },
    encoding: 'utf8',
  })
  t.strictSame([run.status, run.stderr.split(' — ')[0]], [2, 'error: the report cannot be written: ENOSPC'])
})
