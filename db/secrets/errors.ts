import type { SealedSecret, UserId } from '../../types/index.ts'
import { LeoError } from '../client/errors.ts'

/**
 * The base class of errors that concern secrets. Neither the message nor the stack contains a secret or a sealed text.
 * `cause` is an error of this package (see kms-errors.ts), never the error that the KMS client threw.
 */
export abstract class SecretError extends LeoError {}

/** The sealed text was changed or belongs to another row; neither KMS nor the cipher can tell which. */
export class TamperedSecretError extends SecretError {
  override readonly name = 'TamperedSecretError'
  declare readonly code: 'secret_tampered'

  constructor(cause?: Error) {
    super(
      'secret_tampered',
      'a sealed secret cannot be decrypted because it was changed or belongs to another row: ' +
        'restore the row from a backup or store the secret again',
      { cause },
    )
  }
}

/** A text does not have the format of a sealed secret, or the decrypted secret does not have the expected format. */
export class MalformedSecretError extends SecretError {
  override readonly name = 'MalformedSecretError'
  declare readonly code: 'secret_malformed'

  constructor(message: string) {
    super('secret_malformed', message)
  }
}

/** A value that has to be sealed is plain. */
export class NotEncryptedError extends SecretError {
  override readonly name = 'NotEncryptedError'
  declare readonly code: 'secret_not_encrypted'

  constructor(message: string) {
    super('secret_not_encrypted', message)
  }
}

/**
 * The caller passed an invalid value, context or option, or called the function inside a transaction that does not
 * allow it.
 */
export class InvalidSecretUseError extends SecretError {
  override readonly name = 'InvalidSecretUseError'
  declare readonly code: 'invalid_secret_use'

  constructor(message: string) {
    super('invalid_secret_use', message)
  }
}

/** The key is not one of the accepted keys of this process. */
export class KeyNotAcceptedError extends SecretError {
  override readonly name = 'KeyNotAcceptedError'
  declare readonly code: 'key_not_accepted'

  constructor(message: string) {
    super('key_not_accepted', message)
  }
}

/** The key is disabled, pending deletion, deleted, or of the wrong type. */
export class KeyUnusableError extends SecretError {
  override readonly name = 'KeyUnusableError'
  declare readonly code: 'key_unusable'

  constructor(message: string, cause?: Error) {
    super('key_unusable', message, { cause })
  }
}

/** KMS denies the caller this use of the key. */
export class KeyAccessDeniedError extends SecretError {
  override readonly name = 'KeyAccessDeniedError'
  declare readonly code: 'key_access_denied'

  constructor(message: string, cause?: Error) {
    super('key_access_denied', message, { cause })
  }
}

/** KMS throttled the call and its retries; safe to repeat later. */
export class KeyThrottledError extends SecretError {
  override readonly name = 'KeyThrottledError'
  declare readonly code: 'key_throttled'

  constructor(message: string, cause?: Error) {
    super('key_throttled', message, { isRetrySafe: true, cause })
  }
}

/** KMS gave no usable answer: a timeout, an error of KMS or the network, or invalid credentials; safe to repeat. */
export class KeyServiceUnavailableError extends SecretError {
  override readonly name = 'KeyServiceUnavailableError'
  declare readonly code: 'key_service_unavailable'

  constructor(message: string, cause?: Error) {
    super('key_service_unavailable', message, { isRetrySafe: true, cause })
  }
}

/** The development key, or KMS without TLS, was used although NODE_ENV is neither `development` nor `test`. */
export class InsecureInProductionError extends SecretError {
  override readonly name = 'InsecureInProductionError'
  declare readonly code: 'insecure_in_production'

  constructor(message: string) {
    super('insecure_in_production', message)
  }
}

/**
 * The provider rejects the refresh token: the user has to connect the provider again. An `Exchange` throws this error
 * to report the rejection. `refresh` records the rejection, throws the error, and does not call the provider with this
 * token again.
 */
export class RefreshRejectedError extends SecretError {
  override readonly name = 'RefreshRejectedError'
  declare readonly code: 'refresh_rejected'

  constructor() {
    super('refresh_rejected', 'the provider rejects the refresh token: ask the user to connect the provider again')
  }
}

/**
 * No new token was obtained in time. `isRetrySafe` is true if this call did not call the provider: another call was
 * refreshing the token, or no time was left. It is false if the provider was called and did not answer, because the
 * provider may have used up the refresh token. A late answer is still stored, so read the token again after the lease
 * expires.
 */
export class RefreshTimedOutError extends SecretError {
  override readonly name = 'RefreshTimedOutError'
  declare readonly code: 'refresh_timed_out'

  constructor(message: string, isRetrySafe: boolean) {
    super('refresh_timed_out', message, { isRetrySafe })
  }
}

/** A sealed set of tokens that a provider granted and that is not stored. */
export interface UnsavedRefresh {
  readonly user_id: UserId
  readonly provider: string
  readonly sealed: SealedSecret
  /** When the access token expires; null if it does not expire. */
  readonly expires_at: Date | null
  /** The digest of the stored token that these tokens replace. If another token is stored by then, that one is kept. */
  readonly replaces: string
  /** The id of the lease under which the tokens were refreshed. */
  readonly lease: string
}

/**
 * The provider granted a token that could not be stored. Do not refresh again, because the stored refresh token may be
 * invalid now: store this one with `user_secrets.saveRefresh(db, error.unsaved)`.
 */
export class RefreshNotSavedError extends SecretError {
  override readonly name = 'RefreshNotSavedError'
  declare readonly code: 'refresh_not_saved'
  readonly #unsaved: UnsavedRefresh

  constructor(message: string, unsaved: UnsavedRefresh, cause?: LeoError) {
    super('refresh_not_saved', message, { cause })
    this.#unsaved = unsaved
  }

  /** The sealed tokens. They are not part of the printed error. */
  get unsaved(): UnsavedRefresh {
    return this.#unsaved
  }
}
