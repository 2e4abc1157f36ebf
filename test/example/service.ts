import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionError, LeoError } from '../../db/index.ts'

/** A setting of the process, from its environment. */
export function setting(name: string, fallback?: string): string {
  const value = process.env[name] ?? fallback
  if (value === undefined) throw new Error(`${name} is not set: set it in the environment`)
  return value
}

const told = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => told.abort())

/** Aborted when the process is told to stop. */
export const stopping: AbortSignal = told.signal

/**
 * Takes `step` after `step` until the process is told to stop, and rests where one found nothing to do. A connection
 * that is lost ends the step and not the process: what it was about is found again, by this process or another.
 */
export async function repeat(step: () => Promise<boolean>, restMs: number): Promise<void> {
  while (!stopping.aborted) {
    const foundWork = await step().catch(goOn)
    if (!foundWork) await sleep(restMs, undefined, { signal: stopping }).catch(() => undefined)
  }
}

function goOn(error: unknown): false {
  if (!(error instanceof ConnectionError || (error instanceof LeoError && error.isRetrySafe))) throw error
  console.error(error.message)
  return false
}
