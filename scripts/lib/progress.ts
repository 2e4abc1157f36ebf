import { performance } from 'node:perf_hooks'
import process from 'node:process'
import ora from 'ora'

/** Shows a spinner while `work` runs, then one line with the time it took. Without a terminal, only that line. */
export async function step<T>(
  title: string,
  work: (say: (detail: string) => void) => Promise<T>,
  summary: (result: T) => string = () => title,
): Promise<T> {
  const started = performance.now()
  const spinner = ora({ text: title, isSilent: false, discardStdin: false, stream: process.stderr }).start()
  try {
    const result = await work((detail) => {
      spinner.text = `${title}: ${detail}`
    })
    spinner.succeed(`${summary(result)} (${seconds(performance.now() - started)})`)
    return result
  } catch (error) {
    spinner.fail(title)
    throw error
  }
}

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(milliseconds < 9950 ? 2 : 1)} s`
