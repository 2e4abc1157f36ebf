import process from 'node:process'
import { superuser } from './cluster.ts'
import { startDisposable } from './disposable.ts'
import { Failure } from './failure.ts'

/*
 * The process that a test server belongs to. It outlives whoever started it by the moment that it takes to stop the
 * server and delete its data: its input ends with that process, however that one ends.
 */

/** What it says when it is ready, or cannot be: one line of JSON. */
export type Report = { readonly url: string } | { readonly what: string; readonly remedy: string }

const say = (report: Report): unknown => process.stdout.write(`${JSON.stringify(report)}\n`)

const starting = startDisposable()

const stop = (): void => {
  void starting
    .then((server) => server.stop())
    .catch(() => undefined)
    .finally(() => process.exit())
}
process.stdin.once('close', stop).resume()
process.once('SIGTERM', stop)
// To whom it would say so is gone.
process.stdout.on('error', () => undefined)

starting.then(
  (server) => say({ url: server.url('postgres', superuser) }),
  (error: unknown) => {
    if (!(error instanceof Failure)) throw error
    say({ what: error.message, remedy: error.remedy })
    process.exitCode = 1
    process.stdin.destroy()
  },
)
