import type { SealedSecret, UserId } from '../../types/index.ts'
import { LeoError } from '../client/errors.ts'

/**
 * What can go wrong with a secret. Neither the message nor the stack repeats a secret or a stored text; a `cause` is
 * one that this package made (kms-errors.ts), never an error as the KMS client threw it.
 */
export abstract class SecretError extends LeoError {}

/** The text was changed, or it is another row's: the two look alike, to KMS as well. */
export class TamperedSecretError extends SecretError {
  override readonly name = 'TamperedSecretError'
  declare readonly code: 'secret_tampered'

  constructor(cause?: Error) {
    super('secret_tampered', 'a sealed secret does not open: it was changed, or is of another row', { cause })
  }
}

/** The text is not in the form of a sealed secret, or what was sealed is not what was to be read. */
export class MalformedSecretError extends SecretError {
  override readonly name = 'MalformedSecretError'
  declare readonly code: 'secret_malformed'

  constructor(message: string) {
    super('secret_malformed', message)
  }
}

/** A value that has to be sealed is not. */
export class NotEncryptedError extends SecretError {
  override readonly name = 'NotEncryptedError'
  declare readonly code: 'secret_not_encrypted'

  constructor(message: string) {
    super('secret_not_encrypted', message)
  }
}

/** The caller's mistake: a value, a context or a setting that no secret can have. */
export class InvalidSecretUseError extends SecretError {
  override readonly name = 'InvalidSecretUseError'
  declare readonly code: 'invalid_secret_use'

  constructor(message: string) {
    super('invalid_secret_use', message)
  }
}

/** The key is not among those that the process was told to accept. */
export class KeyNotAcceptedError extends SecretError {
  override readonly name = 'KeyNotAcceptedError'
  declare readonly code: 'key_not_accepted'

  constructor(message: string) {
    super('key_not_accepted', message)
  }
}

/** The key is disabled, pending deletion, gone, or not of the kind that is needed. */
export class KeyUnusableError extends SecretError {
  override readonly name = 'KeyUnusableError'
  declare readonly code: 'key_unusable'

  constructor(message: string, cause?: Error) {
    super('key_unusable', message, { cause })
  }
}

/** KMS knows the caller and does not let it use the key in this way. */
export class KeyAccessDeniedError extends SecretError {
  override readonly name = 'KeyAccessDeniedError'
  declare readonly code: 'key_access_denied'

  constructor(message: string, cause?: Error) {
    super('key_access_denied', message, { cause })
  }
}

/** KMS was asked too often, even for the retries that were made; safe to repeat, later. */
export class KeyThrottledError extends SecretError {
  override readonly name = 'KeyThrottledError'
  declare readonly code: 'key_throttled'

  constructor(message: string, cause?: Error) {
    super('key_throttled', message, { isRetrySafe: true, cause })
  }
}

/**
 * KMS gave no usable answer in time: a timeout, a fault of its own, the network, or no valid credentials; safe to
 * repeat.
 */
export class KeyServiceUnavailableError extends SecretError {
  override readonly name = 'KeyServiceUnavailableError'
  declare readonly code: 'key_service_unavailable'

  constructor(message: string, cause?: Error) {
    super('key_service_unavailable', message, { isRetrySafe: true, cause })
  }
}

/** The development key, or a connection without TLS, where NODE_ENV says neither `development` nor `test`. */
export class InsecureInProductionError extends SecretError {
  override readonly name = 'InsecureInProductionError'
  declare readonly code: 'insecure_in_production'

  constructor(message: string) {
    super('insecure_in_production', message)
  }
}

/**
 * The provider does not take the refresh token any more: the user has to connect it anew. Thrown by an `Exchange` to
 * say so, and by `refresh`, which remembers it of this token and does not ask again.
 */
export class RefreshRejectedError extends SecretError {
  override readonly name = 'RefreshRejectedError'
  declare readonly code: 'refresh_rejected'

  constructor() {
    super('refresh_rejected', 'the provider refuses to refresh this token: ask the user to connect it anew')
  }
}

/**
 * There was no new token in time. `isRetrySafe` while another was getting it; not where the provider was asked and has
 * not answered, who may have spent the refresh token: what comes late is stored, so look again after the lease.
 */
export class RefreshTimedOutError extends SecretError {
  override readonly name = 'RefreshTimedOutError'
  declare readonly code: 'refresh_timed_out'

  constructor(message: string, isRetrySafe: boolean) {
    super('refresh_timed_out', message, { isRetrySafe })
  }
}

/** A set of tokens that a provider has granted, sealed, and not stored. */
export interface UnsavedRefresh {
  readonly user_id: UserId
  readonly provider: string
  readonly sealed: SealedSecret
  /** When the access token expires; null if it does not. */
  readonly expires_at: Date | null
  /** Which token it takes the place of, and no other. */
  readonly replaces: string
  readonly lease: string
}

/**
 * The provider has granted a token that could not be stored. To refresh again would spend a refresh token that may be
 * void: store this one, by `user_secrets.saveRefresh(db, error.unsaved)`.
 */
export class RefreshNotSavedError extends SecretError {
  override readonly name = 'RefreshNotSavedError'
  declare readonly code: 'refresh_not_saved'
  readonly #unsaved: UnsavedRefresh

  constructor(message: string, unsaved: UnsavedRefresh, cause?: LeoError) {
    super('refresh_not_saved', message, { cause })
    this.#unsaved = unsaved
  }

  /** Sealed, and in no print of the error. */
  get unsaved(): UnsavedRefresh {
    return this.#unsaved
  }
}
