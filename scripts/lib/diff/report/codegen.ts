import { createRequire } from 'node:module'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import type { Target } from '../../database-url.ts'
import type { TypesSource } from './git.ts'
import type { Types } from './types.ts'

/** The folder `types/` as this database makes it. */
export async function generateTypes(target: Target, { config, written }: TypesSource): Promise<Types> {
  const { port1, port2 } = new MessageChannel()
  prepareGenerator().postMessage({ config: JSON.parse(config) as unknown, url: target.dbmateUrl, port: port2 }, [port2])
  const { db, error } = await reply(port1)
  if (db === undefined) throw error
  return { db, written }
}

let thread: Worker | undefined

/**
 * Starts the thread that kysely-codegen runs in, which takes most of a second. In JavaScript, for so it loads in half
 * the time that it takes where TypeScript is loaded.
 */
export function prepareGenerator(): Worker {
  if (thread) return thread
  const workerData = createRequire(import.meta.url).resolve('kysely-codegen')
  const started = new Worker(code, { eval: true, workerData })
  // Whoever waits hears that its port is closed.
  started.on('error', () => undefined).once('exit', () => (thread = undefined))
  started.unref()
  return (thread = started)
}

const code = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { Cli } = require(workerData)
  parentPort.on('message', async ({ config, url, port }) => {
    try {
      const cli = new Cli()
      const options = cli.parseOptions([], { config })
      port.postMessage({ db: await cli.generate({ ...options, logLevel: 'silent', outFile: null, url }) })
    } catch (error) {
      port.postMessage({ error })
    }
  })
`

interface Reply {
  readonly db?: string
  readonly error?: unknown
}

function reply(port: MessagePort): Promise<Reply> {
  return new Promise((resolve, reject) => {
    port.once('message', (message: Reply) => {
      resolve(message)
      port.close()
    })
    port.once('close', () => reject(new Error('the thread of kysely-codegen ended without a result')))
  })
}
