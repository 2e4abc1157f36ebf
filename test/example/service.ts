import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionError, LeoError } from '../../db/index.ts'

/** Reads an environment variable. */
export function setting(name: string, fallback?: string): string {
  const value = process.env[name] ?? fallback
  if (value === undefined) throw new Error(`${name} is not set: set it in the environment`)
  return value
}

const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())

/** Aborted when the process receives SIGTERM or SIGINT. */
export const stopping: AbortSignal = stop.signal

/**
 * Repeats `step` until the process is stopped, with a pause after a step that found no work. A lost connection ends the
 * step but not the process: this process or another one finds the work again.
 */
export async function repeat(step: () => Promise<boolean>, restMs: number): Promise<void> {
  while (!stopping.aborted) {
    const foundWork = await step().catch(logTemporaryError)
    if (!foundWork) await sleep(restMs, undefined, { signal: stopping }).catch(() => undefined)
  }
}

function logTemporaryError(error: unknown): false {
  if (!(error instanceof ConnectionError || (error instanceof LeoError && error.isRetrySafe))) throw error
  console.error(error.message)
  return false
}
