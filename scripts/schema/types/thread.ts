import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import type { Target } from '../../core/target.ts'
import { startThread } from '../../core/thread.ts'
import type { TypesSource } from '../diff/git.ts'
import type { TypesReport } from '../diff/report.ts'
import type { Types } from './compare.ts'
import type { TypesJob } from './worker.ts'

/** The folder `types/` as this database makes it. */
export async function generateTypes(target: Target, { config, written }: TypesSource): Promise<Types> {
  const db = await ask<string>({ config: JSON.parse(config) as unknown, url: target.dbmateUrl })
  return { db, written }
}

/** `compareTypes`, without keeping this thread from its work. */
export const compareTypesBeside = (base: Types, head: Types): Promise<TypesReport> => ask<TypesReport>({ base, head })

let thread: Worker | undefined

/** Starts the thread, which takes most of a second, so that nobody has to wait for it. */
export function prepareTypes(): Worker {
  if (thread) return thread
  thread = startThread(new URL('worker', import.meta.url), 'kysely-codegen')
  thread.once('exit', () => (thread = undefined)).unref()
  return thread
}

function ask<T>(work: TypesJob['work']): Promise<T> {
  const { port1, port2 } = new MessageChannel()
  const job: TypesJob = { work, port: port2 }
  prepareTypes().postMessage(job, [port2])
  return reply<T>(port1)
}

function reply<T>(port: MessagePort): Promise<T> {
  return new Promise((resolve, reject) => {
    port.once('message', ({ result, error }: { readonly result?: T; readonly error?: unknown }) => {
      if (result === undefined) reject(error as Error)
      else resolve(result)
      port.close()
    })
    port.once('close', () => reject(new Error('the thread of kysely-codegen ended without a result')))
  })
}
