import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { promisify } from 'node:util'
import { packagedNative } from '../../db/testing/binaries.ts'
import { Failure } from '../core/failure.ts'
import { fromRoot } from '../core/paths.ts'
import { seconds, step } from '../core/progress.ts'
import { removeAbandonedServers, superuser } from '../postgres/server.ts'
import { compile, listSources } from './compile.ts'
import { longestFirst, rememberDurations } from './durations.ts'
import { formatReport, formatSlowest, showProgress } from './report.ts'
import { selectAffected, selectAll, selectLong, selectNamed, type Selection } from './select.ts'
import { startPreparedServer } from './server.ts'
import { type FileResult, runFile, type TestFile } from './tap-file.ts'

export interface TestOptions {
  /** `affected`: the core tests and those affected by a change; `all`: all tests except the long ones; `full`: the long ones. */
  readonly scope: 'affected' | 'all' | 'full'
  /** The files to run instead of a scope, such as `apps` or `full/diff`. */
  readonly names?: readonly string[]
  /** The major version of PostgreSQL; `make test-matrix` installs others than the default. */
  readonly major?: string
}

const ownMajor = '17'

/**
 * Runs test files on a throw-away server with a migrated template database.
 *
 * @returns the exit code.
 */
export async function runTests({ major = ownMajor, names = [], scope }: TestOptions): Promise<number> {
  const started = performance.now()
  const native = major === ownMajor ? undefined : packagedNative(`postgres-${major}`, fromRoot('scripts/matrix/package.json'))
  const sources = await listSources()
  await compile(sources)
  const { files, summary } = await select(sources, { scope, names, major })
  const isTypeChecked = scope !== 'affected' && names.length === 0
  const abort = new AbortController()
  const interrupted = interruption(abort)
  try {
    const [server] = await Promise.all([startServer(native, abort.signal), isTypeChecked ? checkTypes() : undefined])
    try {
      process.stdout.write(`${summary}\n`)
      const env = { ...process.env, TEST_SERVER_URL: server.url('postgres', superuser) }
      const results = await runFiles(longestFirst(files), env, abort.signal)
      if (abort.signal.aborted) return interrupted()
      rememberDurations(results)
      process.stdout.write(`${formatReport(results, (result) => rerun(result, major))}\n`)
      if (scope !== 'affected') process.stdout.write(`\nthe slowest files\n${formatSlowest(results, 10)}\n`)
      process.stdout.write(`\n${results.length} files on PostgreSQL ${server.major} took ${seconds(performance.now() - started)}\n`)
      return results.some(({ failure }) => failure) ? 1 : 0
    } finally {
      await server.stop()
      // Removes servers that interrupted files had started.
      if (abort.signal.aborted) await removeAbandonedServers(native)
    }
  } catch (error) {
    if (abort.signal.aborted) return interrupted()
    throw error
  }
}

async function select(sources: readonly string[], { major, names, scope }: Required<TestOptions>): Promise<Selection> {
  if (names.length > 0) return selectNamed(sources, names)
  if (scope === 'full') return selectLong(sources)
  return scope === 'all' ? selectAll(sources, major === ownMajor) : selectAffected(sources)
}

const startServer = (native: string | undefined, signal: AbortSignal) =>
  step(
    'starting a test server',
    (say) => startPreparedServer(native, signal, () => say('migrating its template')),
    ({ major }) => `PostgreSQL ${major} for the tests`,
  )

async function checkTypes(): Promise<void> {
  await step('checking types', async () => {
    try {
      await promisify(execFile)(process.execPath, [fromRoot('node_modules/typescript/bin/tsc'), '--noEmit', '-p', fromRoot()])
    } catch (cause) {
      throw new Failure((cause as { stdout: string }).stdout, 'correct the types', { cause })
    }
  })
}

/** Runs one file per processor at a time; starts no file after an interruption. */
async function runFiles(files: readonly TestFile[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<FileResult[]> {
  const results: FileResult[] = []
  const waiting = [...files]
  const progress = showProgress(files.length)
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file && !signal.aborted; file = waiting.shift()) {
      const result = await runFile(file, env, signal)
      results.push(result)
      if (!signal.aborted) progress.finished(result)
    }
  }
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, work))
  } finally {
    progress.stop()
  }
  return results.sort((a, b) => (a.source < b.source ? -1 : 1))
}

const rerun = ({ name }: FileResult, major: string): string =>
  major === ownMajor ? `make test file=${name}` : `make test-matrix majors=${major} file=${name}`

/** The first signal stops the test files, then the server. The returned function gives the exit code for that signal. */
function interruption(abort: AbortController): () => number {
  let exitCode = 130
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
    process.on(signal, () => {
      if (abort.signal.aborted) return
      exitCode = code
      process.stderr.write('\ninterrupted: stopping the tests and their server\n')
      abort.abort()
    })
  }
  return () => exitCode
}
