import type { SealedSecret } from '../../../types/index.ts'
import { MalformedSecretError, NotEncryptedError } from '../errors.ts'
import { maxSecretBytes } from './value.ts'
import { nonceBytes, tagBytes } from './cipher.ts'

/** Who wrapped the data key: KMS, or the key for development that is in this package. */
export type Scheme = 'kms' | 'dev'

export const version = 'leo1'

/** What the five parts of a stored text say. */
export interface SealedParts {
  readonly scheme: Scheme
  readonly keyId: string
  readonly wrapped: Uint8Array
  /** Nonce, ciphertext and tag. */
  readonly body: Uint8Array
}

/** The pattern of the domain `sealed_secret`. */
const form = /^leo1\.(kms|dev)\.([A-Za-z0-9:/_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

/** KMS takes no longer ones. */
const maxKeyIdLength = 2048
const maxWrappedBytes = 6144

/**
 * Takes a text for a sealed secret if it has the form of one; whether it opens, only opening tells. Anybody may
 * call it.
 *
 * @returns the text as it is.
 * @throws {NotEncryptedError} for what does not even begin like one.
 * @throws {MalformedSecretError}
 * @example
 * const sealed = parseSealedSecret(row.encrypted_token)
 */
export function parseSealedSecret(text: string): SealedSecret {
  partsOf(text)
  return text as SealedSecret
}

/**
 * Reads which key a sealed secret needs. Anybody may call it. In SQL: `split_part(encrypted_token, '.', 3)`.
 *
 * @returns the key's id, for KMS its ARN.
 * @example
 * console.log(keyIdOf(parseSealedSecret(row.encrypted_token)))
 */
export const keyIdOf = (sealed: SealedSecret): string => partsOf(sealed).keyId

export const sealedSecret = ({ scheme, keyId, wrapped, body }: SealedParts): SealedSecret =>
  [version, scheme, keyId, base64url(wrapped), base64url(body)].join('.') as SealedSecret

export function partsOf(text: string): SealedParts {
  if (!/^leo[0-9]+\./.test(text)) {
    throw new NotEncryptedError('a value that has to be sealed is not: seal it and store it again')
  }
  const [, scheme, keyId, wrapped, body] = form.exec(text) ?? []
  if (scheme === undefined || keyId === undefined || wrapped === undefined || body === undefined) throw malformed()
  if (keyId.length > maxKeyIdLength) throw malformed()
  return {
    scheme: scheme as Scheme,
    keyId,
    wrapped: bytesOf(wrapped, 1, maxWrappedBytes),
    body: bytesOf(body, nonceBytes + 1 + tagBytes, nonceBytes + maxSecretBytes + tagBytes),
  }
}

export const base64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')

/** Only the one way of writing these bytes: spare bits of the last character could be anything otherwise. */
function bytesOf(text: string, min: number, max: number): Uint8Array {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length < min || bytes.length > max || base64url(bytes) !== text) throw malformed()
  return bytes
}

const malformed = (): MalformedSecretError =>
  new MalformedSecretError('a sealed secret is not of the form that sealing gives it: restore it, or store it anew')
