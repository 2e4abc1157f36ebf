/** Something that the person at the keyboard can mend: `message` says what happened, `remedy` what to do. */
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
