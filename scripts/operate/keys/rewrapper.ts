import { performance } from 'node:perf_hooks'
import { KeyThrottledError, SecretError } from '../../../db/secrets/index.ts'
import type { SealedSecret, SecretBox, SecretContext } from '../../../db/secrets/index.ts'
import { Pacer } from './rate-limiter.ts'

export interface RewrapperOptions {
  /** Calls of KMS a second, at most; those that the AWS SDK repeats by itself come on top. */
  readonly rate: number
  /** How long a secret is tried again while KMS throttles or is not there. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

/** A box that is asked no more often than KMS can bear. */
export class Rewrapper {
  readonly #box: SecretBox
  readonly #options: RewrapperOptions
  readonly #pacer: Pacer
  #hasWorked = false

  constructor(box: SecretBox, options: RewrapperOptions) {
    this.#box = box
    this.#options = options
    this.#pacer = new Pacer(options.rate)
  }

  /**
   * @param paused hears why it is tried again.
   * @returns undefined when `signal` stopped it.
   */
  async rewrap(
    context: SecretContext,
    sealed: SealedSecret,
    paused: (why: string) => void,
  ): Promise<SealedSecret | undefined> {
    const { patienceMs, signal } = this.#options
    for (const giveUp = performance.now() + patienceMs; ; ) {
      await this.#pacer.turn(signal)
      if (signal.aborted) return undefined
      try {
        const rewrapped = await this.#box.rewrap(context, sealed)
        this.#pacer.speedUp()
        this.#hasWorked = true
        return rewrapped
      } catch (error) {
        if (!(error instanceof SecretError && error.isRetrySafe) || performance.now() > giveUp) throw error
        // Who cannot reach KMS in the first place has something to correct, not to wait for.
        if (!this.#hasWorked && !(error instanceof KeyThrottledError)) throw error
        this.#pacer.slowDown()
        paused(error.code)
      }
    }
  }
}
