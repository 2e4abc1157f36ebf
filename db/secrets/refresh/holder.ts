import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { LeoError } from '../../client/errors.ts'
import type { ServiceDatabase } from '../../client/session.ts'
import type { PreparedSeal, SecretBox } from '../secret-box.ts'
import { RefreshNotSavedError, RefreshRejectedError, RefreshTimedOutError } from '../errors.ts'
import type { UnsavedRefresh } from '../errors.ts'
import { releaseLease, renewLease, saveRefresh } from './lease.ts'
import type { StoredToken } from './lease.ts'
import { tokensToSecret } from '../tokens.ts'
import type { TokenSet } from '../tokens.ts'
import { contextOf } from '../secret-name.ts'
import type { SecretName } from '../secret-name.ts'

/**
 * Requests new tokens from the provider. It throws `RefreshRejectedError` if the provider reports the refresh token as
 * invalid (`invalid_grant`), and another error if a retry may succeed. It should pass the signal to its request, which is
 * aborted when the time is up.
 *
 * @returns the new tokens; an absent refresh token or scope keeps its old value.
 */
export type Exchange = (tokens: TokenSet, signal: AbortSignal) => Promise<TokenSet>

/** A stored token that is usable if it is fresh, or was stored after the call began, whenever it expires. */
export interface CurrentToken extends StoredToken {
  readonly is_usable: boolean
}

/** A call of `refresh` that holds the lease. */
interface Holder {
  readonly db: ServiceDatabase
  readonly box: SecretBox
  readonly name: SecretName
  readonly exchange: Exchange
  readonly lease: string
  readonly leaseMs: number
  /** When the call has to end, by the monotonic clock of this process. */
  readonly deadline: number
  read(): Promise<CurrentToken>
  open(stored: StoredToken): Promise<TokenSet>
}

/** The minimum time for storing granted tokens, even after the deadline of the call. */
const minSavingMs = 5_000

/**
 * Refreshes the token. Returns undefined if the lease was lost before the provider was called. The lease is released when
 * another call may try. It is left to expire if the exchange may still be running.
 */
export async function refreshAsHolder(holder: Holder): Promise<TokenSet | undefined> {
  const { db, box, name, exchange, lease, leaseMs, deadline, read, open } = holder
  let prepared: PreparedSeal | undefined
  let rejected: string | undefined
  const discard = (): void => prepared?.discard()
  const release = (): Promise<void> => releaseLease(db, name, lease, rejected).catch(() => undefined)
  try {
    // The previous holder may have stored new tokens since they were last read.
    const stored = await read()
    const old = await open(stored)
    if (stored.is_usable) {
      await release()
      return old
    }
    const key = (prepared = await box.prepare(contextOf(name)))
    // The lease is renewed after the call of KMS, so that the exchange has its full time: aborting it could lose a token.
    // The time is measured from before the renewal, so that the exchange ends before the lease.
    const until = Math.min(deadline, performance.now() + leaseMs * 0.8)
    if (!(await renewLease(db, name, lease, leaseMs))) {
      discard()
      return undefined
    }
    if (performance.now() >= until) throw new RefreshTimedOutError('no time is left to call the provider: try again', true)
    const { exchanged, inTime } = callProvider(exchange, old, until)
    exchanged.catch(discard)
    // Not awaited here: the tokens are stored even if they arrive after the caller's deadline.
    const storedTokens = exchanged.then((granted) => store(holder, key, stored, merged(old, granted)))
    storedTokens.catch(() => undefined)
    await inTime.catch((error: unknown) => {
      if (error instanceof RefreshRejectedError) rejected = stored.digest
      throw error
    })
    return await storedTokens
  } catch (error) {
    if (error instanceof RefreshNotSavedError || isUnanswered(error)) throw error
    discard()
    await release()
    // Another call may have used up the refresh token and stored the new tokens.
    const stored = rejected === undefined ? undefined : await read().catch(() => undefined)
    if (stored?.is_usable) return open(stored)
    throw error
  }
}

/** The exchange may still be running. */
const isUnanswered = (error: unknown): boolean => error instanceof RefreshTimedOutError && !error.isRetrySafe

/** Calls the provider. `inTime` rejects at the deadline, after which `exchanged` may still resolve. */
function callProvider(
  exchange: Exchange,
  old: TokenSet,
  until: number,
): { exchanged: Promise<TokenSet>; inTime: Promise<TokenSet> } {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new RefreshTimedOutError('the provider did not answer in time: read the token again after the lease', false))
      abort.abort()
    }, until - performance.now())
  })
  const exchanged = (async () => exchange(old, abort.signal))()
  const inTime = Promise.race([exchanged, late]).finally(() => clearTimeout(timer))
  return { exchanged, inTime }
}

/** In OAuth, a refresh token or scope that is absent in the answer is unchanged. */
function merged(old: TokenSet, granted: TokenSet): TokenSet {
  const refresh_token = granted.refresh_token ?? old.refresh_token
  const scope = granted.scope ?? old.scope
  return { ...granted, ...(refresh_token !== undefined && { refresh_token }), ...(scope !== undefined && { scope }) }
}

/** Seals and stores the granted tokens. Returns the stored ones, which may be newer. */
async function store(holder: Holder, prepared: PreparedSeal, old: StoredToken, tokens: TokenSet): Promise<TokenSet> {
  const { name, lease, read, open } = holder
  const { user_id, provider } = name
  const sealed = prepared.seal(tokensToSecret(tokens))
  const expires_at = tokens.expires_at ?? null
  const unsaved: UnsavedRefresh = { user_id, provider, sealed, expires_at, replaces: old.digest, lease }
  switch (await save(holder, unsaved)) {
    case 'saved':
      return tokens
    case 'superseded':
      return open(await read())
    case 'not_found':
      throw new RefreshNotSavedError('the user deleted the secret during the refresh: revoke the new token', unsaved)
  }
}

async function save({ db, deadline }: Holder, unsaved: UnsavedRefresh): Promise<'saved' | 'superseded' | 'not_found'> {
  const until = Math.max(deadline, performance.now() + minSavingMs)
  for (let pause = 50; ; pause = Math.min(pause * 2, 1_000)) {
    try {
      const { outcome } = await within(until - performance.now(), saveRefresh(db, unsaved))
      return outcome
    } catch (error) {
      // Every error is retried, because storing is idempotent, and giving up loses the token.
      if (performance.now() + pause > until) {
        const message = 'the new token was not stored: pass error.unsaved to saveRefresh() later'
        throw new RefreshNotSavedError(message, unsaved, error instanceof LeoError ? error : undefined)
      }
      await sleep(pause)
    }
  }
}

/** Rejects after that time; the work continues. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ms)
  })
  work.catch(() => undefined)
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
