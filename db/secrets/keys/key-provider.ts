import process from 'node:process'
import type { EncryptionContext } from '../crypto/context.ts'
import type { Scheme } from '../crypto/sealed.ts'

/** A data key, encrypted by the key `keyId`. */
export interface WrappedKey {
  readonly keyId: string
  readonly wrapped: Uint8Array
}

/** A data key, plain and wrapped. The receiver overwrites `plain` after use. */
export interface DataKey extends WrappedKey {
  readonly plain: Uint8Array
}

/**
 * Generates and unwraps data keys. A data key that was generated for one context cannot be unwrapped with another.
 * `SecretBox` calls `unwrap` and `rewrap` with accepted keys only.
 */
export interface KeyProvider {
  readonly scheme: Scheme
  /** Throws unless the key is one of the accepted keys. Makes no request. */
  assertAccepts(keyId: string): void
  generate(context: EncryptionContext): Promise<DataKey>
  unwrap(key: WrappedKey, context: EncryptionContext): Promise<Uint8Array>
  /** Wraps the same data key with the current key, without returning it in plain. */
  rewrap(key: WrappedKey, context: EncryptionContext): Promise<WrappedKey>
  /** Returns the id of the current key, which wraps new data keys. */
  currentKeyId(): Promise<string>
  close(): void
}

/** An unset or unknown NODE_ENV counts as production. */
export const isProduction = (): boolean => !['development', 'test'].includes(process.env['NODE_ENV'] ?? '')
