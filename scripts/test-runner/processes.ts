import { execFile } from 'node:child_process'
import { availableParallelism, loadavg } from 'node:os'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Sends the signal to the processes of a group. Returns whether the group has any. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Terminates the processes of a group. After three seconds, those that still run are killed. */
export async function endGroup(leader: number): Promise<void> {
  const started = performance.now()
  for (let isRunning = signalGroup(leader, 'SIGTERM'); isRunning; isRunning = signalGroup(leader, 0)) {
    if (performance.now() - started > 3000) {
      signalGroup(leader, 'SIGKILL')
      return
    }
    await sleep(20)
  }
}

/** The load per processor: the factor by which a process is slower than on an idle machine. */
export const slowness = (): number => Math.max(1, loadavg()[0]! / availableParallelism())

/** The processor seconds that the running processes of a group have used. */
export async function processorSeconds(leader: number): Promise<number> {
  // The output is [[dd-]hh:]mm:ss, on macOS with hundredths of seconds.
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pgid=,time='])
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([group]) => group === `${leader}`)
    .reduce((sum, [, time]) => sum + secondsOf(time!), 0)
}

const secondsOf = (time: string): number =>
  time.split(/[-:]/).reduce((sum, part, index, { length }) => {
    const unit = [86_400, 3600, 60, 1][4 - length + index]!
    return sum + Number(part) * unit
  }, 0)
