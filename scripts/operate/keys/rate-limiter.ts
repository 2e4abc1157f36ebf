import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of all that were sent at a time one may slow down: they fail together. */
const slowDownMilliseconds = 500
/** From standstill to full speed. */
const recoverySeconds = 10

/** Spaces calls in time, wider while the other side cannot keep up. */
export class Pacer {
  readonly #most: number
  #rate: number
  #next = 0
  #slowedAt = -Infinity

  /** @param most calls a second. */
  constructor(most: number) {
    this.#most = most
    this.#rate = most
  }

  /** Resolves when it is the caller's turn. */
  async turn(signal: AbortSignal): Promise<void> {
    const now = performance.now()
    const at = Math.max(now, this.#next)
    this.#next = at + 1000 / this.#rate
    // A timer takes a millisecond at least; who is early by less would be late by more.
    if (at - now >= 1) await sleep(at - now, undefined, { signal }).catch(() => undefined)
  }

  slowDown(): void {
    const now = performance.now()
    if (now - this.#slowedAt < slowDownMilliseconds) return
    this.#slowedAt = now
    this.#rate = Math.max(1, this.#rate / 2)
    this.#next = Math.max(this.#next, now + slowDownMilliseconds)
  }

  speedUp(): void {
    this.#rate = Math.min(this.#most, this.#rate + this.#most / (this.#rate * recoverySeconds))
  }
}
