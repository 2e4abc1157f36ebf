import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { NotFoundError } from '../../client/errors.ts'
import type { ServiceDatabase } from '../../client/session.ts'
import type { SecretBox } from '../secret-box.ts'
import { RefreshRejectedError, RefreshTimedOutError } from '../errors.ts'
import { assertOutsideTransaction } from '../assert-no-transaction.ts'
import { refreshAsHolder } from './holder.ts'
import type { CurrentToken, Exchange } from './holder.ts'
import { readToken, takeLease } from './lease.ts'
import type { StoredToken } from './lease.ts'
import { secretToTokens } from '../tokens.ts'
import type { TokenSet } from '../tokens.ts'
import { contextOf } from '../secret-name.ts'
import type { SecretName } from '../secret-name.ts'

/** Time limits of `refresh`. */
export interface RefreshOptions {
  /** How long to wait for new tokens, including those that another call obtains, in milliseconds; 30 000 if absent. */
  readonly timeoutMs?: number
  /**
   * The duration of the lease, after which another call takes over from a crashed process, in milliseconds; 15 000 if
   * absent. It has to be longer than a call of KMS. The exchange has four fifths of it.
   */
  readonly leaseMs?: number
  /** How long before their expiry tokens are refreshed, in milliseconds; 60 000 if absent. */
  readonly earlyMs?: number
}

/**
 * Reads a user's tokens, and refreshes them if they are about to expire. Of concurrent calls, in any number of processes,
 * one calls the provider; the others wait without holding a connection, and read the tokens that it stored. For services,
 * outside of transactions.
 *
 * If a process crashes mid-refresh, another takes over when the lease expires. A crash between the answer of the provider
 * and the storing of the tokens loses them; if the provider accepts a refresh token only once, the user has to connect
 * again. To keep that interval short, the data key is fetched before the exchange, so that KMS is not needed after it, and
 * storing is repeated while the database is unavailable.
 *
 * Tokens replace only the tokens from which they were refreshed. A call that lost its lease stores its tokens if no other
 * call has stored newer ones and the user has not connected again; otherwise it returns the newer ones.
 *
 * @param exchange calls the provider; it is called once at most.
 * @returns tokens that do not expire within `earlyMs`.
 * @throws {NotFoundError} `not_found`: the user has not connected the provider.
 * @throws {RefreshRejectedError} `refresh_rejected`: the provider rejects this token, or did so in an earlier call.
 * @throws {RefreshTimedOutError} `refresh_timed_out`: no tokens were obtained within `timeoutMs`.
 * @throws {RefreshNotSavedError} `refresh_not_saved`: the new tokens were not stored; `error.unsaved` has them, sealed.
 * @throws {SecretError} as `SecretBox`, before the exchange. Errors of `exchange` are rethrown.
 * @throws {RangeError} an option is not a whole number of milliseconds up to a day.
 * @example
 * const name = { user_id: userId, provider: 'github' }
 * const expires_at = new Date(Date.now() + 3_600_000)
 * await user_secrets.put(serviceDb, box, { ...name, tokens: { access_token: new SecretValue(token), expires_at } })
 * const tokens = await user_secrets.refresh(serviceDb, box, name, async (old, signal) => {
 *   const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: old.refresh_token?.reveal() ?? '' })
 *   const response = await fetch('https://github.com/login/oauth/access_token', { method: 'POST', body, signal })
 *   const answer = (await response.json()) as { error?: string; access_token: string; expires_in: number }
 *   if (answer.error === 'invalid_grant') throw new RefreshRejectedError()
 *   if (!response.ok) throw new Error(`GitHub answers ${response.status}`)
 *   const expires_at = new Date(Date.now() + answer.expires_in * 1000)
 *   return { access_token: new SecretValue(answer.access_token), expires_at }
 * })
 */
export async function refresh(
  db: ServiceDatabase,
  box: SecretBox,
  name: SecretName,
  exchange: Exchange,
  { timeoutMs = 30_000, leaseMs = 15_000, earlyMs = 60_000 }: RefreshOptions = {},
): Promise<TokenSet> {
  assertOutsideTransaction(db)
  for (const ms of [timeoutMs, leaseMs, earlyMs]) assertMilliseconds(ms)
  const deadline = performance.now() + timeoutMs
  let first: string | undefined

  const read = async (): Promise<CurrentToken> => {
    const stored = await readToken(db, name, earlyMs)
    if (stored === undefined) throw new NotFoundError('not_found', 'the user has not connected this provider: ask the user to connect it')
    first ??= stored.digest
    const is_usable = stored.is_fresh || stored.digest !== first
    if (stored.is_rejected && !is_usable) throw new RefreshRejectedError()
    return { ...stored, is_usable }
  }
  const open = async ({ sealed }: StoredToken): Promise<TokenSet> =>
    secretToTokens(await box.open(contextOf(name), sealed))

  for (let pause = 20; ; pause = Math.min(pause * 1.5, 500)) {
    const stored = await read()
    if (stored.is_usable) return open(stored)
    const lease = randomUUID()
    if (!stored.is_leased && (await takeLease(db, name, lease, leaseMs))) {
      const tokens = await refreshAsHolder({ db, box, name, exchange, lease, leaseMs, deadline, read, open })
      if (tokens !== undefined) return tokens
    }
    // Random, so that the waiting calls do not all read again at the same time.
    const wait = pause * (0.5 + Math.random())
    if (performance.now() + wait > deadline) {
      throw new RefreshTimedOutError('another call is still refreshing this token: try again', true)
    }
    await sleep(wait)
  }
}

function assertMilliseconds(ms: number): void {
  if (Number.isInteger(ms) && ms >= 0 && ms <= 86_400_000) return
  throw new RangeError('timeoutMs, leaseMs and earlyMs have to be whole numbers of milliseconds, up to a day')
}
