import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { NotFoundError } from '../../client/errors.ts'
import type { ServiceDatabase } from '../../client/session.ts'
import type { SecretBox } from '../secret-box.ts'
import { RefreshRejectedError, RefreshTimedOutError } from '../errors.ts'
import { assertOutsideTransaction } from '../assert-no-transaction.ts'
import { refreshAsHolder } from './holder.ts'
import type { Exchange, SeenToken } from './holder.ts'
import { readToken, takeLease } from './lease.ts'
import type { StoredToken } from './lease.ts'
import { secretToTokens } from '../tokens.ts'
import type { TokenSet } from '../tokens.ts'
import { contextOf } from '../secret-name.ts'
import type { SecretName } from '../secret-name.ts'

/** How patient `refresh` is. */
export interface RefreshOptions {
  /** How long to wait for new tokens, in milliseconds, whoever gets them; 30 000 unless given. */
  readonly timeoutMs?: number
  /**
   * When another takes over from one that died, in milliseconds, longer than KMS may take; four fifths of it are the
   * exchange's. 15 000 unless given.
   */
  readonly leaseMs?: number
  /** How long before they expire tokens are no longer fresh, in milliseconds; 60 000 unless given. */
  readonly earlyMs?: number
}

/**
 * Gets a user's tokens, refreshed if they are about to expire. However many ask at once, in however many processes, one
 * asks the provider; the others wait, hold no connection meanwhile, and read what it has stored. For services, outside
 * of transactions.
 *
 * Who dies while refreshing is taken over from once the lease ends: before the exchange nothing is lost; after it has
 * stored the new tokens neither. In between the tokens are lost with it, and where the provider takes a refresh token
 * only once, the next one is refused: the user has to connect it anew. That moment is as short as it can be: the data
 * key is fetched before the exchange, so that it does not matter if KMS goes down; while the database is away storing
 * is tried again.
 *
 * Tokens are stored only over those that they came from. One that was too slow to keep its lease stores its own if
 * nobody was faster, and returns the newer ones if somebody was, or the user has connected the provider anew.
 *
 * @param exchange is called once at most.
 * @returns tokens that are fresh.
 * @throws {NotFoundError} `not_found`: the user has not connected the provider.
 * @throws {RefreshRejectedError} `refresh_rejected`: now, or before and not connected anew since.
 * @throws {RefreshTimedOutError} `refresh_timed_out`.
 * @throws {RefreshNotSavedError} `refresh_not_saved`: there are new tokens; `error.unsaved` has them, sealed.
 * @throws {SecretError} whatever `SecretBox` throws, before the exchange; what it throws by itself is thrown on.
 * @throws {RangeError} an option that is no whole number of milliseconds up to a day.
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

  const look = async (): Promise<SeenToken> => {
    const stored = await readToken(db, name, earlyMs)
    if (stored === undefined) throw new NotFoundError('not_found', 'the user has not connected this provider')
    first ??= stored.digest
    const will_do = stored.is_fresh || stored.digest !== first
    if (stored.is_refused && !will_do) throw new RefreshRejectedError()
    return { ...stored, will_do }
  }
  const open = async ({ sealed }: StoredToken): Promise<TokenSet> =>
    secretToTokens(await box.open(contextOf(name), sealed))

  for (let pause = 20; ; pause = Math.min(pause * 1.5, 500)) {
    const stored = await look()
    if (stored.will_do) return open(stored)
    const lease = randomUUID()
    if (!stored.is_leased && (await takeLease(db, name, lease, leaseMs))) {
      const tokens = await refreshAsHolder({ db, box, name, exchange, lease, leaseMs, deadline, look, open })
      if (tokens !== undefined) return tokens
    }
    // They have all seen the same, and should not all look again at the same moment.
    const wait = pause * (0.5 + Math.random())
    if (performance.now() + wait > deadline) {
      throw new RefreshTimedOutError('somebody else was refreshing this token and is not done: try again', true)
    }
    await sleep(wait)
  }
}

function assertMilliseconds(ms: number): void {
  if (Number.isInteger(ms) && ms >= 0 && ms <= 86_400_000) return
  throw new RangeError('timeoutMs, leaseMs and earlyMs are whole numbers of milliseconds, up to a day')
}
