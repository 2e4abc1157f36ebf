/**
 * What can go wrong with a secret. Messages say what happened and what to do, and repeat neither a secret nor a stored
 * text; a `cause` is one that this package made (kms-errors.ts), never an error as the KMS client threw it.
 */
export abstract class SecretError extends Error {
  abstract override readonly name: string
  abstract readonly code: string
  /** Whether the same call, with nothing changed, may work a little later. */
  abstract readonly isRetrySafe: boolean
}

/** The text was changed, or it is another row's: the two look alike, to KMS as well. */
export class TamperedSecretError extends SecretError {
  override readonly name = 'TamperedSecretError'
  override readonly code = 'secret_tampered'
  override readonly isRetrySafe = false

  constructor(options?: ErrorOptions) {
    super('a sealed secret does not open: it was changed, or is of another row', options)
  }
}

/** The text is not in the form of a sealed secret, or what was sealed is not what was to be read. */
export class MalformedSecretError extends SecretError {
  override readonly name = 'MalformedSecretError'
  override readonly code = 'secret_malformed'
  override readonly isRetrySafe = false
}

/** A value that has to be sealed is not. */
export class NotEncryptedError extends SecretError {
  override readonly name = 'NotEncryptedError'
  override readonly code = 'secret_not_encrypted'
  override readonly isRetrySafe = false
}

/** The caller's mistake: a value, a context or a setting that no secret can have. */
export class InvalidSecretUseError extends SecretError {
  override readonly name = 'InvalidSecretUseError'
  override readonly code = 'invalid_secret_use'
  override readonly isRetrySafe = false
}

/** The key is not among those that the process was told to accept. */
export class KeyNotAcceptedError extends SecretError {
  override readonly name = 'KeyNotAcceptedError'
  override readonly code = 'key_not_accepted'
  override readonly isRetrySafe = false
}

/** The key is disabled, pending deletion, gone, or not of the kind that is needed. */
export class KeyUnusableError extends SecretError {
  override readonly name = 'KeyUnusableError'
  override readonly code = 'key_unusable'
  override readonly isRetrySafe = false
}

/** KMS knows the caller and does not let it use the key in this way. */
export class KeyAccessDeniedError extends SecretError {
  override readonly name = 'KeyAccessDeniedError'
  override readonly code = 'key_access_denied'
  override readonly isRetrySafe = false
}

/** KMS was asked too often, even for the retries that were made. */
export class KeyThrottledError extends SecretError {
  override readonly name = 'KeyThrottledError'
  override readonly code = 'key_throttled'
  override readonly isRetrySafe = true
}

/** KMS gave no usable answer in time: a timeout, a fault of its own, the network, or no valid credentials. */
export class KeyServiceUnavailableError extends SecretError {
  override readonly name = 'KeyServiceUnavailableError'
  override readonly code = 'key_service_unavailable'
  override readonly isRetrySafe = true
}

/** The development key, or a connection without TLS, where NODE_ENV says neither `development` nor `test`. */
export class InsecureInProductionError extends SecretError {
  override readonly name = 'InsecureInProductionError'
  override readonly code = 'insecure_in_production'
  override readonly isRetrySafe = false
}
