import process from 'node:process'
import cliProgress from 'cli-progress'

/** The progress of a long job in batches. */
export interface BatchProgress {
  readonly phase: string
  /** Rows processed in this run, of about `total`. */
  readonly done: number
  readonly total: number
  readonly batch: number
  /** The reason for the current pause; absent when the job runs. */
  readonly pause?: string
}

/** On a terminal one bar per phase; elsewhere a line every ten seconds. */
export function batchBar(): { report: (progress: BatchProgress) => void; stop: () => void } {
  if (process.stderr.isTTY && process.stderr.columns > 0) {
    const bars = new cliProgress.MultiBar(
      { format: '{phase} [{bar}] {value}/{total}, {rate}/s, {eta_formatted} left, batches of {batch}{pause}', hideCursor: true },
      cliProgress.Presets.legacy,
    )
    const ofPhase = new Map<string, { bar: cliProgress.SingleBar; started: number }>()
    return {
      report: ({ phase, done, total, batch, pause }) => {
        const started = ofPhase.get(phase)?.started ?? Date.now()
        const rate = Math.round((done * 1000) / Math.max(1, Date.now() - started))
        const payload = { phase: phase.padEnd(9), batch, rate, pause: pause === undefined ? '' : `, paused: ${pause}` }
        const bar = ofPhase.get(phase)?.bar ?? bars.create(total, 0, payload)
        ofPhase.set(phase, { bar, started })
        bar.setTotal(Math.max(total, done))
        bar.update(done, payload)
      },
      stop: () => bars.stop(),
    }
  }
  let next = Date.now() + 10_000
  return {
    report: ({ phase, done, total, batch, pause }) => {
      if (Date.now() < next) return
      next = Date.now() + 10_000
      const why = pause === undefined ? '' : `, paused: ${pause}`
      process.stderr.write(`${phase}: ${done} of about ${total}, batches of ${batch}${why}\n`)
    },
    stop: () => undefined,
  }
}
