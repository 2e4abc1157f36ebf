/** An error that the user can correct: `message` is what happened, `remedy` what to do. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly remedy: string
  readonly exitCode: number

  constructor(message: string, remedy: string, options: { cause?: unknown; exitCode?: number } = {}) {
    super(message, { cause: options.cause })
    this.remedy = remedy
    this.exitCode = options.exitCode ?? 1
  }
}
