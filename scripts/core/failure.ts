import process from 'node:process'
import { Failure } from '../../db/testing/failure.ts'

/** Printed as one line. Anything else that is thrown is a defect of these scripts and keeps its stack. */
export { Failure }

/** Runs a script's body; turns a `Failure` into its line on stderr and its exit code. */
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
