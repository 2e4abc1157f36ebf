import type { SealedSecret } from '../../../types/index.ts'
import { MalformedSecretError, NotEncryptedError } from '../errors.ts'
import { maxSecretBytes } from './value.ts'
import { nonceBytes, tagBytes } from './cipher.ts'

/** The type of key that wrapped the data key: of KMS, or the development key of this package. */
export type Scheme = 'kms' | 'dev'

export const version = 'leo1'

/** The decoded parts of a sealed text. */
export interface SealedParts {
  readonly scheme: Scheme
  readonly keyId: string
  readonly wrapped: Uint8Array
  /** Nonce, ciphertext and tag. */
  readonly body: Uint8Array
}

/** The pattern of the domain `sealed_secret`. */
const format = /^leo1\.(kms|dev)\.([A-Za-z0-9:/_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

/** The limits of KMS. */
const maxKeyIdLength = 2048
const maxWrappedBytes = 6144

/**
 * Checks that a text has the format of a sealed secret. Anybody may call it. It does not check that the secret can be
 * opened.
 *
 * @returns the text, typed as a sealed secret.
 * @throws {NotEncryptedError} `secret_not_encrypted`: the text does not begin like a sealed secret.
 * @throws {MalformedSecretError} `secret_malformed`: it begins like one, but does not have its format.
 * @example
 * const sealed = parseSealedSecret(row.encrypted_token)
 */
export function parseSealedSecret(text: string): SealedSecret {
  partsOf(text)
  return text as SealedSecret
}

/**
 * Reads the id of the key that wrapped the data key of a secret. Anybody may call it. In SQL: `split_part(encrypted_token, '.', 3)`.
 *
 * @returns the id of the key, for KMS its ARN.
 * @example
 * console.log(keyIdOf(parseSealedSecret(row.encrypted_token)))
 */
export const keyIdOf = (sealed: SealedSecret): string => partsOf(sealed).keyId

export const sealedSecret = ({ scheme, keyId, wrapped, body }: SealedParts): SealedSecret =>
  [version, scheme, keyId, base64url(wrapped), base64url(body)].join('.') as SealedSecret

export function partsOf(text: string): SealedParts {
  if (!/^leo[0-9]+\./.test(text)) {
    throw new NotEncryptedError('a value that has to be sealed is plain: seal it and store it again')
  }
  const [, scheme, keyId, wrapped, body] = format.exec(text) ?? []
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

/** Accepts only the canonical encoding, because the unused bits of the last character could have any value. */
function bytesOf(text: string, min: number, max: number): Uint8Array {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length < min || bytes.length > max || base64url(bytes) !== text) throw malformed()
  return bytes
}

const malformed = (): MalformedSecretError =>
  new MalformedSecretError('a sealed secret does not have the format of one: restore it, or store it again')
