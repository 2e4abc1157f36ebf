import process from 'node:process'
import { superuser } from './cluster.ts'
import { startDisposable } from './disposable.ts'
import { Failure } from './failure.ts'

/*
 * The process that owns a test server. Its standard input closes when the process that started it ends, in any way. It
 * then stops the server, deletes its data and exits.
 */

/** The line of JSON that it prints when the server is ready or failed to start. */
export type StartResult = { readonly url: string } | { readonly message: string; readonly remedy: string }

const print = (result: StartResult): unknown => process.stdout.write(`${JSON.stringify(result)}\n`)

const starting = startDisposable()

const stop = (): void => {
  void starting
    .then((server) => server.stop())
    .catch(() => undefined)
    .finally(() => process.exit())
}
process.stdin.once('close', stop).resume()
process.once('SIGTERM', stop)
// The reading process may have ended.
process.stdout.on('error', () => undefined)

starting.then(
  (server) => print({ url: server.url('postgres', superuser) }),
  (error: unknown) => {
    if (!(error instanceof Failure)) throw error
    print({ message: error.message, remedy: error.remedy })
    process.exitCode = 1
    process.stdin.destroy()
  },
)
