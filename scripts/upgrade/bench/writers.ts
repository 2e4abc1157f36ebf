import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ClientConfig } from 'pg'
import type { Target } from '../../core/target.ts'
import { typescriptLoader } from '../../schema/dump/pg-dump.ts'

/** `old` writes the columns of the previous schema, `new` those of the upgraded one. */
export type Style = 'old' | 'new'

export interface WriterJob {
  readonly config: ClientConfig
  readonly connections: number
  readonly style: Style
  readonly requests: number
  readonly snapshots: number
}

export interface WritersReport {
  readonly errors: string[]
  /** Ids of the inserted rows. */
  readonly requestIds: number[]
  readonly snapshotIds: number[]
  /** For each write: `Date.now()` at its end, and its duration in milliseconds. */
  readonly samples: { readonly at: number[]; readonly took: number[] }
}

export interface Writers {
  readonly stop: () => Promise<WritersReport>
}

/** Starts writers that insert and update, with about 80 writes per second and connection, until `stop` is called. */
export async function startWriters(
  target: Target,
  style: Style,
  { requests, snapshots, connections = 4 }: { requests: number; snapshots: number; connections?: number },
): Promise<Writers> {
  const workerData: WriterJob = { config: { ...target.pg }, connections, style, requests, snapshots }
  const extension = extname(import.meta.url)
  const worker = new Worker(new URL(`./writers-worker${extension}`, import.meta.url), {
    workerData,
    execArgv: extension === '.ts' ? [`--import=${typescriptLoader()}`] : [],
  })
  await once(worker, 'message')
  const reported = once(worker, 'message') as Promise<[WritersReport]>
  reported.catch(() => undefined)
  return {
    stop: async () => {
      worker.postMessage('stop')
      const [report] = await reported
      return report
    },
  }
}

export interface Phase {
  readonly name: string
  readonly from: number
}

export interface Stall {
  readonly phase: string
  readonly seconds: number
  readonly writes: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The latency of writes in each phase. A write belongs to the phase in which the middle of its duration lies. */
export function stalls(phases: readonly Phase[], until: number, reports: readonly WritersReport[]): Stall[] {
  const durations = phases.map((): number[] => [])
  for (const { samples } of reports) {
    for (const [index, took] of samples.took.entries()) {
      const middle = samples.at[index]! - took / 2
      durations[Math.max(0, phases.findLastIndex(({ from }) => from <= middle))]?.push(took)
    }
  }
  return phases.map(({ name, from }, index) => {
    const sorted = durations[index]!.sort((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    const seconds = ((phases[index + 1]?.from ?? until) - from) / 1000
    return { phase: name, seconds, writes: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
  })
}
