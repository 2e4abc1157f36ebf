import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import type { Target } from '../../core/target.ts'
import { startThread } from '../../core/thread.ts'
import type { Types, TypesReport } from './compare.ts'
import type { TypesJob } from './worker.ts'

/** The inputs of the types besides the schema. */
export interface TypesSource {
  /** The settings of kysely-codegen. */
  readonly config: string
  /** The files of `types/` that are written by hand: name → text. */
  readonly written: ReadonlyMap<string, string>
}

/** Generates the contents of `types/` from a database. */
export async function generateTypes(target: Target, { config, written }: TypesSource): Promise<Types> {
  const db = await send<string>({ config: JSON.parse(config) as unknown, url: target.dbmateUrl })
  return { db, written }
}

/** Runs `compareTypes` in the worker thread, so that it does not block this one. */
export const compareTypesInThread = (base: Types, head: Types): Promise<TypesReport> => send<TypesReport>({ base, head })

let thread: Worker | undefined

/** Starts the worker thread ahead of its first use: that takes most of a second. */
export function prepareTypes(): Worker {
  if (thread) return thread
  thread = startThread(new URL('worker', import.meta.url), 'kysely-codegen')
  thread.once('exit', () => (thread = undefined)).unref()
  return thread
}

function send<T>(work: TypesJob['work']): Promise<T> {
  const { port1, port2 } = new MessageChannel()
  const job: TypesJob = { work, port: port2 }
  prepareTypes().postMessage(job, [port2])
  return receive<T>(port1)
}

function receive<T>(port: MessagePort): Promise<T> {
  return new Promise((resolve, reject) => {
    port.once('message', ({ result, error }: { readonly result?: T; readonly error?: unknown }) => {
      if (result === undefined) reject(error as Error)
      else resolve(result)
      port.close()
    })
    port.once('close', () => reject(new Error('the kysely-codegen thread ended without a result')))
  })
}
