import process from 'node:process'
import type { EncryptionContext } from '../crypto/context.ts'
import type { Scheme } from '../crypto/sealed.ts'

export interface WrappedKey {
  readonly keyId: string
  readonly wrapped: Uint8Array
}

/** A data key in plain, and as it is stored. Whoever has it overwrites `plain` after use. */
export interface DataKey extends WrappedKey {
  readonly plain: Uint8Array
}

/**
 * Where data keys come from. Each call is given the context, and gives nothing back for another one. `unwrap` and
 * `rewrap` are asked about accepted keys only.
 */
export interface KeyProvider {
  readonly scheme: Scheme
  /** Throws unless this provider may open what the key sealed; asks nobody. */
  assertAccepts(keyId: string): void
  generate(context: EncryptionContext): Promise<DataKey>
  unwrap(key: WrappedKey, context: EncryptionContext): Promise<Uint8Array>
  /** Wraps the same data key by the current key, without anyone seeing it. */
  rewrap(key: WrappedKey, context: EncryptionContext): Promise<WrappedKey>
  /** The id of the key that seals now. */
  currentKeyId(): Promise<string>
  close(): void
}

/** Everything but what says that it is something else: what nobody has set up is live. */
export const isProduction = (): boolean => !['development', 'test'].includes(process.env['NODE_ENV'] ?? '')
