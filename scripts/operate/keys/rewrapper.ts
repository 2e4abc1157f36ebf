import { performance } from 'node:perf_hooks'
import { KeyThrottledError, SecretError } from '../../../db/secrets/index.ts'
import type { SealedSecret, SecretBox, SecretContext } from '../../../db/secrets/index.ts'
import { RateLimiter } from './rate-limiter.ts'

export interface RewrapperOptions {
  /** Maximum calls of KMS per second, without the retries that the AWS SDK makes itself. */
  readonly rate: number
  /** How long to retry one secret while KMS throttles or cannot be reached. */
  readonly patienceMs: number
  readonly signal: AbortSignal
}

/** Re-wraps secrets at a limited rate, and retries while KMS is overloaded. */
export class Rewrapper {
  readonly #box: SecretBox
  readonly #options: RewrapperOptions
  readonly #limiter: RateLimiter
  #hasSucceeded = false

  constructor(box: SecretBox, options: RewrapperOptions) {
    this.#box = box
    this.#options = options
    this.#limiter = new RateLimiter(options.rate)
  }

  /**
   * @param onRetry called with the error code before each retry.
   * @returns undefined when `signal` was aborted.
   */
  async rewrap(
    context: SecretContext,
    sealed: SealedSecret,
    onRetry: (code: string) => void,
  ): Promise<SealedSecret | undefined> {
    const { patienceMs, signal } = this.#options
    for (const deadline = performance.now() + patienceMs; ; ) {
      await this.#limiter.acquire(signal)
      if (signal.aborted) return undefined
      try {
        const rewrapped = await this.#box.rewrap(context, sealed)
        this.#limiter.increase()
        this.#hasSucceeded = true
        return rewrapped
      } catch (error) {
        if (!(error instanceof SecretError && error.isRetrySafe) || performance.now() > deadline) throw error
        // If KMS was never reached, the configuration is probably wrong, so waiting does not help.
        if (!this.#hasSucceeded && !(error instanceof KeyThrottledError)) throw error
        this.#limiter.decrease()
        onRetry(error.code)
      }
    }
  }
}
