import { parentPort, type MessagePort } from 'node:worker_threads'
import { Cli } from 'kysely-codegen'
import { compareTypes, type Types } from './compare.ts'

/**
 * The thread in which kysely-codegen runs, and the compiler that it brings: half a second each, in which the main thread
 * would answer nobody.
 */
export interface TypesJob {
  readonly work: { readonly config: unknown; readonly url: string } | { readonly base: Types; readonly head: Types }
  readonly port: MessagePort
}

if (!parentPort) throw new Error('this file is a worker')

parentPort.on('message', ({ work, port }: TypesJob) => void answer(work, port))

async function answer(work: TypesJob['work'], port: MessagePort): Promise<void> {
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
