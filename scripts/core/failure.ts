import process from 'node:process'
import { Failure } from '../../db/testing/failure.ts'

/** An error caused by the user or the database, printed as one line. Any other error is a defect and keeps its stack. */
export { Failure }

/** Runs the body of a script. Prints a `Failure` as one line on stderr and exits with its code. */
export async function main(body: () => Promise<number | void>): Promise<void> {
  try {
    process.exitCode = (await body()) ?? 0
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    process.stderr.write(`error: ${oneLine(error.message)} — ${oneLine(error.remedy)}\n`)
    process.exitCode = error.exitCode
  }
}

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, '; ')
