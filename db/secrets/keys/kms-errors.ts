import {
  KeyAccessDeniedError,
  KeyServiceUnavailableError,
  KeyThrottledError,
  KeyUnusableError,
  SecretError,
  TamperedSecretError,
} from '../errors.ts'

/**
 * The safe parts of an error of the KMS client. The error itself is not kept: for an answer that cannot be parsed, its
 * message, and in some versions its properties, quote the answer, which contains a data key.
 */
export class KmsFault extends Error {
  override readonly name: string
  readonly code: string | undefined
  readonly httpStatusCode: number | undefined
  readonly requestId: string | undefined
  readonly attempts: number | undefined

  constructor(error: SdkError) {
    super(isAnswer(error) || isSystemError(error) ? error.message : 'the message is omitted, since it may quote the answer')
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

/** The error is an answer of KMS. Its message cannot quote a plaintext, because no request of this package has one. */
const isAnswer = (error: SdkError): boolean =>
  error.$fault !== undefined && (error.$metadata?.httpStatusCode ?? 0) >= 400
const isSystemError = (error: SdkError): boolean => error.syscall !== undefined

/** Compared by name, because the client exports no class for most of them. */
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

/** Converts an error of the KMS client to one of this package. */
export function translated(error: unknown): SecretError {
  if (error instanceof SecretError) return error
  const thrown: SdkError = error instanceof Error ? error : new Error()
  const { name } = thrown
  const cause = new KmsFault(thrown)
  if (tampered.has(name)) return new TamperedSecretError(cause)
  if (throttled.has(name)) {
    return new KeyThrottledError('KMS throttles the calls: try again later, or request a higher quota', cause)
  }
  if (noCredentials.has(name)) {
    return new KeyServiceUnavailableError(`KMS rejects the credentials (${name}): renew them`, cause)
  }
  if (name === 'AccessDeniedException') {
    return new KeyAccessDeniedError('KMS denies the use of the key: check the policies of the key and the role', cause)
  }
  if (isAnswer(thrown) && thrown.$fault === 'client') {
    return new KeyUnusableError(`KMS cannot use the key (${name}): check its state and its type`, cause)
  }
  return new KeyServiceUnavailableError(`KMS gave no usable answer (${name}): try again later`, cause)
}
