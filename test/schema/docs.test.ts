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
// Examples of ./testing are not run here: they start a server, which the test of that module covers.
const examples = documented.filter(({ place }) => !place.startsWith('db/testing/'))
const examplesPath = fromRoot('test/examples.ts')
const readme = await readFile(fromRoot('README.md'), 'utf8')
const blocks = new Map(blocksIn(readme, all).map((text, at) => [fromRoot(`test/readme-${at + 1}.ts`), text]))
const undocumented = `
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
const undocumentedPath = fromRoot('test/undocumented.ts')
const brokenExamplesPath = fromRoot('test/broken-examples.ts')
const program = compile(
  all.map(({ file }) => file),
  new Map([
    [examplesPath, await moduleOf(documented, all)],
    ...blocks,
    [undocumentedPath, undocumented],
    [brokenExamplesPath, await moduleOf(examplesIn('undocumented.ts', undocumented), all)],
  ]),
)

t.test('every export has a doc comment with a summary, its callers, its result and an example', async (t) => {
  t.strictSame(findings(sectionsOf(program, all)), [])
})

t.test('an incomplete doc comment is found', async (t) => {
  const found = findings(sectionsOf(program, [{ name: 'undocumented', file: undocumentedPath }]))
  t.match(found, [
    /^test\/undocumented.ts:3 increment does not say who may call it/,
    /^test\/undocumented.ts:3 increment has neither a `@returns`/,
    /^test\/undocumented.ts:3 increment has no `@example`/,
    /^test\/undocumented.ts:13 twice has a `@throws` without the class/,
    /^test\/undocumented.ts:4 Undocumented has no doc comment/,
  ])
})

t.test('every example and every block of the README compiles with the options of the package', async (t) => {
  for (const path of [examplesPath, ...blocks.keys()]) t.strictSame(errorsIn(program, path), [], path.replace(fromRoot(), ''))
  t.match(errorsIn(program, brokenExamplesPath), [/Cannot find name 'increment'/], 'an example that does not compile is found')
})

emit(program, examplesPath)

t.test('every example runs', async (t) => {
  const setup = await setUp(t, await createMigratedDatabase(t))
  for (const example of examples) await t.resolves(run(setup, example), example.place)
})

t.test('every example runs on the oldest schema that the package supports', async (t) => {
  const test = await createEmptyDatabase(t)
  await migrate(test.target, { upTo: oldestSchemaVersion })
  const setup = await setUp(t, test)
  for (const example of examples) await t.resolves(run(setup, example), example.place)

  await rollback(test.target)
  const checking = examples.find(({ text }) => text.includes('await checkSchema('))!
  await t.rejects(run(setup, checking), { code: 'schema_too_old' }, 'an older schema is not supported')
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
  const setup = await setUp(t, await createMigratedDatabase(t))
  for (const [path, text] of blocks) {
    // These blocks run in test/full/package.test.ts, which installs the package.
    if (text.includes("from 'node:test'")) continue
    emit(program, path)
    // The block leaves its pools open, so the process has to exit explicitly.
    const script = `await import(${JSON.stringify(pathToFileURL(compiled(path)).href)}); process.exit()`
    const env = { ...process.env, NODE_OPTIONS: '', USER_ID: (await createRows(setup)).userId }
    const ended = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env, timeout: 600_000 })
    await t.resolves(ended, path.replace(fromRoot(), ''))
  }
})

interface Setup extends Clients {
  readonly test: DatabaseFixture
}

/** Prepares a database for the examples: settings, a Supabase project, and the URLs that their pools connect to. */
async function setUp(t: Test, test: DatabaseFixture): Promise<Setup> {
  const clients = createClients(t, test, 2)
  const urlOf = (login: string): string => loginTo(test.name, login).dbmateUrl
  process.env['DATABASE_URL'] = urlOf(logins.leo_api)
  process.env['WORKER_DATABASE_URL'] = urlOf(logins.leo_worker)
  await config.set(clients.serviceDb, { key: 'fly.region', value: 'fra' })
  const project = { ref: 'examplesexamplesexam', pool: 'free', region: 'eu-central-1', capacity: 10 }
  await supabase_projects.insert(clients.serviceDb, project)
  return { test, ...clients }
}

async function run(setup: Setup, example: Example): Promise<unknown> {
  const module = await import(pathToFileURL(compiled(examplesPath)).href)
  const rows = await createRows(setup)
  module.use(rows)
  const call = module.examples[example.place]
  if (!needsTransaction(example)) return call()
  return asUser(setup.db, rows.userId, async (trx) => {
    module.useTransaction(trx)
    return call()
  })
}

/** Creates a user with an app, a leased generation and a snapshot of it. */
async function createRows({ test, db, serviceDb }: Setup) {
  const userId = parseUserId(await test.signUp())
  const { appId, generationId } = await asUser(db, userId, async (trx) => {
    const created = await apps.create(trx, { app_name: 'Books' })
    if (created.outcome !== 'created') throw new Error('the name is taken')
    const request = { app_id: created.app.id, prompt: 'a list of books', mode: 'autonomous' } as const
    const { generation } = await generations.enqueue(trx, request)
    return { appId: created.app.id, generationId: generation.id }
  })
  const claimed = await queue.claim(serviceDb, { worker: 'worker-1', limit: 100 })
  const lease = claimed.find(({ id }) => id === generationId)!
  const files = { 'index.html': '<h1>Books</h1>' }
  const recorded = await queue.recordIteration(serviceDb, lease, { iteration_number: 1, files })
  if (recorded.outcome !== 'recorded') throw new Error('the lease is lost')
  const box = new SecretBox(devKeys())
  const context = { table: 'user_secrets', user_id: userId, provider: 'github' } as const
  const encrypted_token = await box.seal(context, tokensToSecret({ access_token: new SecretValue('a token') }))
  const params = { app: appId, generation: String(generationId), snapshot: String(recorded.snapshot_id), secret: appId }
  return {
    ...{ db, serviceDb, userId, appId, generationId, snapshotId: recorded.snapshot_id, lease },
    ...{ claims: { sub: userId }, request: { params }, error: new Error('an example') },
    ...{ box, context, token: 'a token', keyArn: keyArn(1), oldKeyArn: keyArn(2), row: { encrypted_token } },
  }
}

const keyArn = (n: number): string => `arn:aws:kms:eu-central-1:000000000000:key/${n}`

function emit(program: ts.Program, path: string): void {
  program.emit(program.getSourceFile(path))
}
