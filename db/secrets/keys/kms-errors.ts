import {
  KeyAccessDeniedError,
  KeyServiceUnavailableError,
  KeyThrottledError,
  KeyUnusableError,
  SecretError,
  TamperedSecretError,
} from '../errors.ts'

/**
 * What is kept of an error of the KMS client. Not the error itself: of an answer that could not be read it repeats the
 * text in its message, by version of the client in properties too, and that is where a data key is.
 */
export class KmsFault extends Error {
  override readonly name: string
  readonly code: string | undefined
  readonly httpStatusCode: number | undefined
  readonly requestId: string | undefined
  readonly attempts: number | undefined

  constructor(error: SdkError) {
    super(isAnswer(error) || isSystemError(error) ? error.message : 'its message may repeat the answer and is left out')
    this.name = error.name
    this.code = error.code
    this.httpStatusCode = error.$metadata?.httpStatusCode
    this.requestId = error.$metadata?.requestId
    this.attempts = error.$metadata?.attempts
  }
}

type SdkError = Error & {
  readonly $fault?: 'client' | 'server'
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number }
  readonly code?: string
  readonly syscall?: string
}

/** KMS itself said so. No request that this package makes has a plaintext that KMS could repeat. */
const isAnswer = (error: SdkError): boolean =>
  error.$fault !== undefined && (error.$metadata?.httpStatusCode ?? 0) >= 400
const isSystemError = (error: SdkError): boolean => error.syscall !== undefined

/** By name: the client exports no classes for most of them. The same name never means two things to a caller here. */
const throttled = new Set(['ThrottlingException', 'Throttling', 'LimitExceededException', 'TooManyRequestsException'])
const tampered = new Set(['InvalidCiphertextException', 'IncorrectKeyException'])
const noCredentials = new Set([
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
])

/** As one of this package's errors, whatever a call of the client threw. */
export function translated(error: unknown): SecretError {
  if (error instanceof SecretError) return error
  const thrown: SdkError = error instanceof Error ? error : new Error()
  const { name } = thrown
  const cause = new KmsFault(thrown)
  if (tampered.has(name)) return new TamperedSecretError(cause)
  if (throttled.has(name)) {
    return new KeyThrottledError('KMS throttles: try again later, or ask AWS for a higher quota', cause)
  }
  if (noCredentials.has(name)) {
    return new KeyServiceUnavailableError(`KMS is given no valid credentials (${name}): renew them`, cause)
  }
  if (name === 'AccessDeniedException') {
    return new KeyAccessDeniedError('KMS denies the use of the key: look at its policy and at that of the role', cause)
  }
  if (isAnswer(thrown) && thrown.$fault === 'client') {
    return new KeyUnusableError(`KMS cannot use the key (${name}): look at its state and at what it is for`, cause)
  }
  return new KeyServiceUnavailableError(`KMS gave no usable answer (${name}): try again later`, cause)
}
