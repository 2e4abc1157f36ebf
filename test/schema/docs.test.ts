import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type ts from 'typescript'
import t from 'tap'
import type { Test } from 'tap'
import * as leo from '../../db/index.ts'
import { apps, asUser, config, generations, parseUserId, queue, supabase_projects } from '../../db/index.ts'
import { oldestSchemaVersion } from '../../db/client/schema-check.ts'
import { SecretBox, SecretValue, devKeys, tokensToSecret } from '../../db/secrets/index.ts'
import { sectionsOf } from '../../scripts/schema/generate/api/items.ts'
import { compile, entries, errorsIn } from '../../scripts/schema/generate/api/program.ts'
import { findings } from '../../scripts/schema/generate/api/rules.ts'
import { fromRoot } from '../../scripts/core/paths.ts'
import { migrate, rollback } from '../../scripts/migrate/migrator.ts'
import { createClients } from '../fixtures/clients.ts'
import type { Clients } from '../fixtures/clients.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import type { DatabaseFixture } from '../fixtures/database.ts'
import { blocksIn, compiled, examplesIn, findExamples, moduleOf, needsTransaction } from './fixtures/examples.ts'
import type { Example } from './fixtures/examples.ts'
import { loginTo, logins } from '../fixtures/server.ts'

process.env['NODE_ENV'] = 'test'

const all = entries()
const documented = await findExamples()
// Those of ./testing start a server of their own, as its own test does.
const examples = documented.filter(({ place }) => !place.startsWith('db/testing/'))
const examplesPath = fromRoot('test/examples.ts')
const readme = await readFile(fromRoot('README.md'), 'utf8')
const blocks = new Map(blocksIn(readme, all).map((text, at) => [fromRoot(`test/readme-${at + 1}.ts`), text]))
const bad = `
/** Adds one. */
export function increment(n: number) { return n + 1 }
export type Undocumented = string
/**
 * Adds two. Anybody may call it.
 *
 * @returns the sum.
 * @throws where it does not fit.
 * @example
 * increment('1')
 */
export const twice = (n: number) => n + 2
`
const badPath = fromRoot('test/bad.ts')
const badExamplesPath = fromRoot('test/bad-examples.ts')
const program = compile(
  all.map(({ file }) => file),
  new Map([
    [examplesPath, await moduleOf(documented, all)],
    ...blocks,
    [badPath, bad],
    [badExamplesPath, await moduleOf(examplesIn('bad.ts', bad), all)],
  ]),
)

t.test('every export has a doc comment that says what it does, who may call it, what comes back, and how', async (t) => {
  t.strictSame(findings(sectionsOf(program, all)), [])
})

t.test('one that does not is found', async (t) => {
  const found = findings(sectionsOf(program, [{ name: 'bad', file: badPath }]))
  t.match(found, [
    /^test\/bad.ts:3 increment does not say who may call it/,
    /^test\/bad.ts:3 increment says neither by `@returns`/,
    /^test\/bad.ts:3 increment has no `@example`/,
    /^test\/bad.ts:13 twice has a `@throws` without the class/,
    /^test\/bad.ts:4 Undocumented has no doc comment/,
  ])
})

t.test('every example and every block of the README compiles, as strictly as the package', async (t) => {
  for (const path of [examplesPath, ...blocks.keys()]) t.strictSame(errorsIn(program, path), [], path.replace(fromRoot(), ''))
  t.match(errorsIn(program, badExamplesPath), [/Cannot find name 'increment'/], 'and one that does not is found')
})

emit(program, examplesPath)

t.test('every example runs', async (t) => {
  const stage = await stageOn(t, await createMigratedDatabase(t))
  for (const example of examples) await t.resolves(run(stage, example), example.place)
})

t.test('every example runs on the oldest schema that the package says it runs on', async (t) => {
  const test = await createEmptyDatabase(t)
  await migrate(test.target, { upTo: oldestSchemaVersion })
  const stage = await stageOn(t, test)
  for (const example of examples) await t.resolves(run(stage, example), example.place)

  await rollback(test.target)
  const refreshing = examples.find(({ text }) => text.includes('refresh'))!
  await t.rejects(run(stage, refreshing), { name: 'QueryError', sqlstate: '42P01' }, 'one migration earlier')
})

t.test('every query is called by an example', async (t) => {
  const queries = Object.entries(leo).flatMap(([module, exported]) =>
    Object.entries(exported).flatMap(([name, value]) => (typeof value === 'function' ? `${module}.${name}(` : [])),
  )
  const isCalled = (query: string): boolean => examples.some(({ text }) => text.includes(query))
  t.ok(queries.length > 50)
  t.strictSame(queries.filter((query) => !isCalled(query)), [])
})

t.test('every block of the README runs', async (t) => {
  const stage = await stageOn(t, await createMigratedDatabase(t))
  for (const [path, text] of blocks) {
    // test/full/package.test.ts runs those, where the package is installed.
    if (text.includes("from 'node:test'")) continue
    emit(program, path)
    // Its pools are open when it has come to its end.
    const script = `await import(${JSON.stringify(pathToFileURL(compiled(path)).href)}); process.exit()`
    const env = { ...process.env, NODE_OPTIONS: '', USER_ID: (await aWorld(stage)).userId }
    const ended = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env, timeout: 30_000 })
    await t.resolves(ended, path.replace(fromRoot(), ''))
  }
})

interface Stage extends Clients {
  readonly test: DatabaseFixture
}

/** A database with what examples expect of a platform; those that make pools of their own find it, too. */
async function stageOn(t: Test, test: DatabaseFixture): Promise<Stage> {
  const clients = createClients(t, test, 2)
  const urlOf = (login: string): string => loginTo(test.name, login).dbmateUrl
  process.env['DATABASE_URL'] = urlOf(logins.leo_api)
  process.env['WORKER_DATABASE_URL'] = urlOf(logins.leo_worker)
  await config.set(clients.serviceDb, { key: 'fly.region', value: 'fra' })
  const project = { ref: 'examplesexamplesexam', pool: 'free', region: 'eu-central-1', capacity: 10 }
  await supabase_projects.insert(clients.serviceDb, project)
  return { test, ...clients }
}

async function run(stage: Stage, example: Example): Promise<unknown> {
  const module = await import(pathToFileURL(compiled(examplesPath)).href)
  const world = await aWorld(stage)
  module.use(world)
  const call = module.examples[example.place]
  if (!needsTransaction(example)) return call()
  return asUser(stage.db, world.userId, async (trx) => {
    module.useTransaction(trx)
    return call()
  })
}

/** A user with an app, a generation that is held, and a snapshot of it. */
async function aWorld({ test, db, serviceDb }: Stage) {
  const userId = parseUserId(await test.signUp())
  const { appId, generationId } = await asUser(db, userId, async (trx) => {
    const made = await apps.create(trx, { app_name: 'Books' })
    if (made.outcome !== 'created') throw new Error('the name is taken')
    const request = { app_id: made.app.id, prompt: 'a list of books', mode: 'autonomous' } as const
    const { generation } = await generations.enqueue(trx, request)
    return { appId: made.app.id, generationId: generation.id }
  })
  const claimed = await queue.claim(serviceDb, { worker: 'worker-1', limit: 100 })
  const lease = claimed.find(({ id }) => id === generationId)!
  const files = { 'index.html': '<h1>Books</h1>' }
  const kept = await queue.recordIteration(serviceDb, lease, { iteration_number: 1, files })
  if (kept.outcome !== 'recorded') throw new Error('the lease is lost')
  const box = new SecretBox(devKeys())
  const context = { table: 'user_secrets', user_id: userId, provider: 'github' } as const
  const encrypted_token = await box.seal(context, tokensToSecret({ access_token: new SecretValue('a token') }))
  const params = { app: appId, generation: String(generationId), snapshot: String(kept.snapshot_id), secret: appId }
  return {
    ...{ db, serviceDb, userId, appId, generationId, snapshotId: kept.snapshot_id, lease },
    ...{ claims: { sub: userId }, request: { params }, error: new Error('an example') },
    ...{ box, context, token: 'a token', keyArn: keyArn(1), oldKeyArn: keyArn(2), row: { encrypted_token } },
  }
}

const keyArn = (n: number): string => `arn:aws:kms:eu-central-1:000000000000:key/${n}`

function emit(program: ts.Program, path: string): void {
  program.emit(program.getSourceFile(path))
}
