import process from 'node:process'

/**
 * Something the person at the keyboard can mend: printed as one line, what happened and what to do.
 * Anything else that is thrown is a defect of these scripts and keeps its stack.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly remedy: string
  readonly exitCode: number

  constructor(what: string, remedy: string, options: { cause?: unknown; exitCode?: number } = {}) {
    super(what, { cause: options.cause })
    this.remedy = remedy
    this.exitCode = options.exitCode ?? 1
  }
}

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
