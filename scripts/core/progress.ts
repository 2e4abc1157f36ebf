import { performance } from 'node:perf_hooks'
import process from 'node:process'
import ora from 'ora'

/** Shows a spinner while `work` runs, then one line with its duration. Without a terminal only that line. */
export async function step<T>(
  title: string,
  work: (say: (detail: string) => void) => Promise<T>,
  summary: (result: T) => string = () => title,
): Promise<T> {
  const started = performance.now()
  const line = hasTerminal() ? ora({ text: title, discardStdin: false }).start() : plainLine
  try {
    const result = await work((detail) => {
      line.text = `${title}: ${detail}`
    })
    line.succeed(`${summary(result)} (${seconds(performance.now() - started)})`)
    return result
  } catch (error) {
    line.fail(title)
    throw error
  }
}

// Some containers have a terminal of width 0, on which ora clears lines forever.
const hasTerminal = (): boolean => process.stderr.isTTY && process.stderr.columns > 0

/** Runs `step` on a terminal. Elsewhere prints the details as lines on stderr, for a program that reads the report. */
export const stepOnTerminal = <T>(title: string, work: (say: (detail: string) => void) => Promise<T>): Promise<T> =>
  hasTerminal() ? step(title, work) : work((detail) => void process.stderr.write(`${detail}\n`))

/** Output for logs, without the colours that ora would write. */
const plainLine = {
  text: '',
  succeed: (text: string) => process.stderr.write(`✔ ${text}\n`),
  fail: (text: string) => process.stderr.write(`✖ ${text}\n`),
}

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(milliseconds < 9950 ? 2 : 1)} s`
