import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { withClient } from '../core/connect.ts'
import { parseDatabaseUrl } from '../core/target.ts'
import type { Target } from '../core/target.ts'
import { Failure, main } from '../core/failure.ts'
import { fromRoot } from '../core/paths.ts'
import { seconds, step } from '../core/progress.ts'
import { startThrowawayServer, superuser } from '../postgres/server.ts'
import { packagedNative } from '../../db/testing/binaries.ts'
import { prepareCluster, template } from '../../test/fixtures/server.ts'

/** They ask the server nothing, or start the one of the package: once is enough. */
const sameOnEveryMajor: readonly string[] = [
  ...['database_url', 'docs', 'env_files', 'example_service', 'package', 'pg_dump'],
  ...['secrets', 'secrets_kms', 'secrets_leaks', 'squawk', 'testing'],
]

/**
 * Runs the compiled tests against a throw-away server with a migrated template database: those of `test/`, with `--full`
 * those of `test/full/`, or the named ones (`apps`). `--major=15` takes another PostgreSQL, which `make test-matrix`
 * installs.
 */
await main(async () => {
  const started = performance.now()
  const { values, positionals } = parseArgs({
    options: { major: { type: 'string', default: '17' }, full: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const { major } = values
  const files = await compiled(values.full ? 'full' : '', positionals, major)
  const native = major === '17' ? undefined : packagedNative(`postgres-${major}`, fromRoot('scripts/matrix/package.json'))
  const server = await step(
    'starting a test server',
    () => startThrowawayServer(native === undefined ? {} : { native }),
    (server) => `PostgreSQL ${server.major} for the tests`,
  )
  // tap gets Ctrl-C too, and ends; then the server is stopped below.
  process.on('SIGINT', () => undefined).on('SIGTERM', () => undefined)
  try {
    const admin = parseDatabaseUrl(server.url('postgres', superuser))
    await step('migrating the template database', () => prepareCluster(admin))
    const clone = await measureClone(admin)
    const code = await tap(files, server.url('postgres', superuser))
    process.stdout.write(
      `\ntests on PostgreSQL ${server.major} took ${seconds(performance.now() - started)}; ` +
        `a test database takes ${clone.toFixed(0)} ms alone\n`,
    )
    return code
  } finally {
    await server.stop()
  }
})

/** From the sources that are there: what was compiled from a deleted one would still pass. */
async function compiled(folder: string, names: readonly string[], major: string): Promise<string[]> {
  const sources = (await readdir(fromRoot('test', folder), { recursive: true })).filter(
    (path) => path.endsWith('.test.ts') && (folder !== '' || !path.startsWith('full')),
  )
  const nameOf = (path: string): string => basename(path, '.test.ts')
  const unknown = names.filter((name) => !sources.some((path) => nameOf(path) === name))
  if (unknown.length > 0) throw new Failure(`no test is named ${unknown.join(', ')}`, `use the name of a file in test/${folder}`)
  const chosen = sources.filter((path) =>
    names.length === 0 ? major === '17' || !sameOnEveryMajor.includes(nameOf(path)) : names.includes(nameOf(path)),
  )
  return chosen.sort().map((path) => join('build', 'test', folder, path.replace(/ts$/, 'js')))
}

async function measureClone(admin: Target): Promise<number> {
  return withClient(admin, async (client) => {
    const before = performance.now()
    await client.query(`create database clone_measured template ${template} owner postgres`)
    const took = performance.now() - before
    await client.query('drop database clone_measured')
    return took
  })
}

/** On a terminal tap draws its own progress; elsewhere failures and the sum are enough. */
function tap(args: readonly string[], serverUrl: string): Promise<number> {
  const reporter = process.stdout.isTTY ? [] : ['--reporter=tap']
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fromRoot('node_modules', 'tap', 'dist', 'esm', 'run.mjs'), ...reporter, ...args], {
      cwd: fromRoot(),
      stdio: 'inherit',
      env: { ...process.env, TEST_SERVER_URL: serverUrl },
    })
    child.on('error', (cause) => reject(new Failure('tap did not start', 'run `npm ci`', { cause })))
    child.on('close', (code, signal) => resolve(signal ? 1 : (code ?? 1)))
  })
}
