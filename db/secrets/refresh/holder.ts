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
 * Asks the provider for new tokens. Throws `RefreshRejectedError` where the provider says that the refresh token is
 * good for nothing (`invalid_grant`), and anything else where asking again may help. Heeds the signal, after which
 * nobody waits for it.
 *
 * @returns the new tokens; a refresh token or scope that is not among them is still the old one.
 */
export type Exchange = (tokens: TokenSet, signal: AbortSignal) => Promise<TokenSet>

/** Whether it will do: it is fresh, or newer than when the call began, however long it lasts. */
export interface SeenToken extends StoredToken {
  readonly will_do: boolean
}

/** A call of `refresh` that has taken the lease. */
interface Holder {
  readonly db: ServiceDatabase
  readonly box: SecretBox
  readonly name: SecretName
  readonly exchange: Exchange
  readonly lease: string
  readonly leaseMs: number
  /** When the caller wants to have an answer, by this process's clock. */
  readonly deadline: number
  look(): Promise<SeenToken>
  open(stored: StoredToken): Promise<TokenSet>
}

/** What a provider has granted is not lost for the sake of punctuality: at least so long it may take to store it. */
const savingMs = 5_000

/**
 * Undefined where it has lost the lease before it asked the provider. The lease is given back as soon as the next one
 * may try; while an exchange may still be going on it ends by itself.
 */
export async function refreshAsHolder(holder: Holder): Promise<TokenSet | undefined> {
  const { db, box, name, exchange, lease, leaseMs, deadline, look, open } = holder
  let prepared: PreparedSeal | undefined
  let refused: string | undefined
  const discard = (): void => prepared?.discard()
  const release = (): Promise<void> => releaseLease(db, name, lease, refused).catch(() => undefined)
  try {
    // Whoever had the lease before may have stored new tokens since they were last read.
    const stored = await look()
    const old = await open(stored)
    if (stored.will_do) {
      await release()
      return old
    }
    const key = (prepared = await box.prepare(contextOf(name)))
    // However long KMS took, the exchange has its time: to cut it short could lose a token. It is counted from before
    // the database does, so that this one is through when another may begin.
    const until = Math.min(deadline, performance.now() + leaseMs * 0.8)
    if (!(await renewLease(db, name, lease, leaseMs))) {
      discard()
      return undefined
    }
    if (performance.now() >= until) throw new RefreshTimedOutError('no time was left for the provider: try again', true)
    const { exchanged, inTime } = ask(exchange, old, until)
    exchanged.catch(discard)
    // By itself: what is granted is stored even if nobody waits for it any more.
    const kept = exchanged.then((granted) => keep(holder, key, stored, merged(old, granted)))
    kept.catch(() => undefined)
    await inTime.catch((error: unknown) => {
      if (error instanceof RefreshRejectedError) refused = stored.digest
      throw error
    })
    return await kept
  } catch (error) {
    if (error instanceof RefreshNotSavedError || isUnanswered(error)) throw error
    discard()
    await release()
    // One that was faster may have spent the refresh token, and stored what it got for it.
    const stored = refused === undefined ? undefined : await look().catch(() => undefined)
    if (stored?.will_do) return open(stored)
    throw error
  }
}

/** The exchange may still be going on. */
const isUnanswered = (error: unknown): boolean => error instanceof RefreshTimedOutError && !error.isRetrySafe

/** Asks the provider, and tells whether it has answered in time. */
function ask(
  exchange: Exchange,
  old: TokenSet,
  until: number,
): { exchanged: Promise<TokenSet>; inTime: Promise<TokenSet> } {
  const abort = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new RefreshTimedOutError('the provider has not answered in time: look again after the lease', false))
      abort.abort()
    }, until - performance.now())
  })
  const exchanged = (async () => exchange(old, abort.signal))()
  const inTime = Promise.race([exchanged, late]).finally(() => clearTimeout(timer))
  return { exchanged, inTime }
}

/** By OAuth, what is not granted anew is still good. */
function merged(old: TokenSet, granted: TokenSet): TokenSet {
  const refresh_token = granted.refresh_token ?? old.refresh_token
  const scope = granted.scope ?? old.scope
  return { ...granted, ...(refresh_token !== undefined && { refresh_token }), ...(scope !== undefined && { scope }) }
}

/** Seals and stores what was granted, and returns what is stored then. */
async function keep(holder: Holder, prepared: PreparedSeal, old: StoredToken, tokens: TokenSet): Promise<TokenSet> {
  const { name, lease, look, open } = holder
  const { user_id, provider } = name
  const sealed = prepared.seal(tokensToSecret(tokens))
  const expires_at = tokens.expires_at ?? null
  const unsaved: UnsavedRefresh = { user_id, provider, sealed, expires_at, replaces: old.digest, lease }
  switch (await save(holder, unsaved)) {
    case 'saved':
      return tokens
    case 'superseded':
      return open(await look())
    case 'not_found':
      throw new RefreshNotSavedError('the user has cut the connection meanwhile: revoke the new token', unsaved)
  }
}

async function save({ db, deadline }: Holder, unsaved: UnsavedRefresh): Promise<'saved' | 'superseded' | 'not_found'> {
  const until = Math.max(deadline, performance.now() + savingMs)
  for (let pause = 50; ; pause = Math.min(pause * 2, 1_000)) {
    try {
      const { outcome } = await within(until - performance.now(), saveRefresh(db, unsaved))
      return outcome
    } catch (error) {
      // Whatever it is: to give up early would lose a token, to try once more harms nobody.
      if (performance.now() + pause > until) {
        const message = 'the new token could not be stored: pass error.unsaved to saveRefresh() later'
        throw new RefreshNotSavedError(message, unsaved, error instanceof LeoError ? error : undefined)
      }
      await sleep(pause)
    }
  }
}

/** Rejects after that time; what was begun goes on. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ms)
  })
  work.catch(() => undefined)
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
