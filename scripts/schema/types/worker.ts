import { parentPort, type MessagePort } from 'node:worker_threads'
import { Cli } from 'kysely-codegen'
import { compareTypes, type Types } from './compare.ts'

/**
 * A job for the worker thread, which runs kysely-codegen and the TypeScript compiler. Each blocks its thread for half a
 * second.
 */
export interface TypesJob {
  readonly work: { readonly config: unknown; readonly url: string } | { readonly base: Types; readonly head: Types }
  readonly port: MessagePort
}

if (!parentPort) throw new Error('this file runs in a worker thread only')

parentPort.on('message', ({ work, port }: TypesJob) => void run(work, port))

async function run(work: TypesJob['work'], port: MessagePort): Promise<void> {
  try {
    port.postMessage({ result: 'url' in work ? await generate(work) : compareTypes(work.base, work.head) })
  } catch (error) {
    port.postMessage({ error })
  }
}

function generate({ config, url }: { readonly config: unknown; readonly url: string }): Promise<string> {
  const cli = new Cli()
  const options = cli.parseOptions([], { config: config as never })
  return cli.generate({ ...options, logLevel: 'silent', outFile: null, url })
}
