import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Calls sent together are throttled together, so the rate is decreased at most once in this time. */
const decreaseMilliseconds = 500
/** The time in which the rate grows from its minimum to its maximum. */
const recoverySeconds = 10

/** Limits the rate of calls, and adapts it: halved when the service throttles, increased after each success. */
export class RateLimiter {
  readonly #maximum: number
  #rate: number
  #next = 0
  #decreasedAt = -Infinity

  /** @param maximum calls per second. */
  constructor(maximum: number) {
    this.#maximum = maximum
    this.#rate = maximum
  }

  /** Resolves when the caller may make the next call, or when `signal` is aborted. */
  async acquire(signal: AbortSignal): Promise<void> {
    const now = performance.now()
    const at = Math.max(now, this.#next)
    this.#next = at + 1000 / this.#rate
    // A timer waits at least a millisecond, so a shorter wait is skipped.
    if (at - now >= 1) await sleep(at - now, undefined, { signal }).catch(() => undefined)
  }

  decrease(): void {
    const now = performance.now()
    if (now - this.#decreasedAt < decreaseMilliseconds) return
    this.#decreasedAt = now
    this.#rate = Math.max(1, this.#rate / 2)
    this.#next = Math.max(this.#next, now + decreaseMilliseconds)
  }

  increase(): void {
    this.#rate = Math.min(this.#maximum, this.#rate + this.#maximum / (this.#rate * recoverySeconds))
  }
}
