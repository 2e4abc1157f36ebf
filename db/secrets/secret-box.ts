import type { SealedSecret } from '../../types/index.ts'
import { DataKeyCache } from './crypto/cache.ts'
import type { DataKeyCacheOptions } from './crypto/cache.ts'
import { decrypt, encrypt } from './crypto/cipher.ts'
import { encryptionContext } from './crypto/context.ts'
import type { EncryptionContext, SecretContext } from './crypto/context.ts'
import { assertNotProduction } from './keys/dev.ts'
import { InvalidSecretUseError, KeyNotAcceptedError, TamperedSecretError } from './errors.ts'
import type { DataKey, KeyProvider } from './keys/key-provider.ts'
import { base64url, partsOf, sealedSecret, version } from './crypto/sealed.ts'
import type { Scheme, SealedParts } from './crypto/sealed.ts'
import { SecretValue } from './crypto/value.ts'

/** How a box works. */
export interface SecretBoxOptions {
  /** Keeps the data keys of secrets that were read; none if absent. */
  readonly cache?: DataKeyCacheOptions
}

/**
 * Seals and opens secrets, each under a data key of its own, which lies beside it wrapped by a key that never leaves
 * its provider. For services; one box a process.
 *
 * All methods throw `SecretError`s: `code` says what happened, `isRetrySafe` whether the same call may work later.
 *
 * @example
 * const isHere = process.env.NODE_ENV === 'development' || process.env.NODE_ENV === 'test'
 * const box = new SecretBox(isHere ? devKeys() : kmsKeys({ sealWith: keyArn, accept: [keyArn] }))
 * const context = { table: 'user_secrets', user_id: userId, provider: 'github' } as const
 * const sealed = await box.seal(context, new SecretValue(token))
 * const opened = await box.open(context, sealed)
 */
export class SecretBox {
  readonly #keys: KeyProvider
  readonly #cache: DataKeyCache | undefined

  constructor(keys: KeyProvider, { cache }: SecretBoxOptions = {}) {
    this.#keys = keys
    this.#cache = cache && new DataKeyCache(cache)
  }

  /** Seals a value for one row, by one call of KMS. */
  async seal(context: SecretContext, value: SecretValue): Promise<SealedSecret> {
    return (await this.prepare(context)).seal(value)
  }

  /**
   * Fetches the data key now, to seal later without KMS: before a refresh, say, whose new token must not be lost if KMS
   * goes down in the meantime.
   *
   * @example
   * const prepared = await box.prepare(context)
   * try {
   *   // … the provider gives a new token, and then:
   *   const sealed = prepared.seal(tokensToSecret({ access_token: new SecretValue(token) }))
   * } finally {
   *   prepared.discard()
   * }
   */
  async prepare(context: SecretContext): Promise<PreparedSeal> {
    const bound = encryptionContext(context)
    return new PreparedSeal(this.#keys.scheme, bound, await this.#keys.generate(bound))
  }

  /**
   * Opens what was sealed for this row.
   *
   * @throws {TamperedSecretError} for what was sealed for another row or changed since.
   */
  async open(context: SecretContext, sealed: SealedSecret): Promise<SecretValue> {
    const bound = encryptionContext(context)
    const parts = this.#accepted(sealed)
    const load = (): Promise<Uint8Array> => this.#keys.unwrap(parts, bound)
    const use = (key: Uint8Array): SecretValue => opened(parts, bound, key)
    if (this.#cache !== undefined) {
      const id = [parts.keyId, base64url(parts.wrapped), JSON.stringify(bound)].join('.')
      return this.#cache.withKey(id, load, use)
    }
    const key = await load()
    try {
      return use(key)
    } finally {
      key.fill(0)
    }
  }

  /**
   * The same secret, its data key wrapped by the key that seals now. KMS does that by itself: nothing is opened, the
   * right to Decrypt is not needed, and the ciphertext stays as it is. It is done even if that key wrapped it before:
   * look for those that `currentKeyId()` did not wrap.
   */
  async rewrap(context: SecretContext, sealed: SealedSecret): Promise<SealedSecret> {
    const parts = this.#accepted(sealed)
    const { keyId, wrapped } = await this.#keys.rewrap(parts, encryptionContext(context))
    return sealedSecret({ ...parts, keyId, wrapped })
  }

  /** The id, for KMS the ARN, of the key that seals now: the third part of what is sealed. */
  currentKeyId(): Promise<string> {
    return this.#keys.currentKeyId()
  }

  /** Overwrites the keys in the cache and closes the connections. */
  close(): void {
    this.#cache?.clear()
    this.#keys.close()
  }

  #accepted(sealed: SealedSecret): SealedParts {
    const parts = partsOf(sealed)
    if (parts.scheme === 'dev') assertNotProduction()
    if (parts.scheme !== this.#keys.scheme) {
      const { scheme } = this.#keys
      throw new KeyNotAcceptedError(`${scheme} keys open no secret that ${parts.scheme} keys sealed: store it anew`)
    }
    this.#keys.assertAccepts(parts.keyId)
    return parts
  }
}

/** A data key at hand, for one value. Made by `SecretBox.prepare()`. */
export class PreparedSeal {
  readonly #scheme: Scheme
  readonly #context: EncryptionContext
  #key: DataKey | undefined

  constructor(scheme: Scheme, context: EncryptionContext, key: DataKey) {
    this.#scheme = scheme
    this.#context = context
    this.#key = key
  }

  /**
   * Seals, once, and asks nobody.
   *
   * @throws {InvalidSecretUseError} the second time, and after `discard()`.
   */
  seal(value: SecretValue): SealedSecret {
    if (this.#key === undefined) throw new InvalidSecretUseError('a prepared key seals one value: prepare another one')
    const { keyId, wrapped, plain } = this.#key
    const text = Buffer.from(value.reveal())
    try {
      const body = encrypt(plain, text, additionalData(this.#scheme, this.#context))
      return sealedSecret({ scheme: this.#scheme, keyId, wrapped, body })
    } finally {
      text.fill(0)
      this.discard()
    }
  }

  /** Overwrites the key, if it was not used. */
  discard(): void {
    this.#key?.plain.fill(0)
    this.#key = undefined
  }
}

/**
 * What the cipher is bound to. Neither the key nor the wrapped data key, which re-wrapping changes. As JSON, which the
 * names and values of a context cannot imitate, in the one order that `encryptionContext` gives them.
 */
const additionalData = (scheme: Scheme, context: EncryptionContext): string =>
  JSON.stringify([version, scheme, Object.entries(context)])

function opened({ scheme, body }: SealedParts, context: EncryptionContext, key: Uint8Array): SecretValue {
  const text = decrypt(key, body, additionalData(scheme, context))
  if (text === undefined) throw new TamperedSecretError()
  try {
    return new SecretValue(text.toString())
  } finally {
    text.fill(0)
  }
}
