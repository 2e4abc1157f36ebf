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

/** Options of a `SecretBox`. */
export interface SecretBoxOptions {
  /** Caches the data keys of opened secrets; no cache if absent. */
  readonly cache?: DataKeyCacheOptions
}

/**
 * Seals and opens secrets. Each secret is encrypted with a data key of its own, which is stored with it, wrapped by a key
 * of the key provider. For services; create one per process.
 *
 * All methods throw a `SecretError`; `isRetrySafe` is true if the same call may succeed later.
 *
 * @example
 * const isDevelopment = process.env.NODE_ENV === 'development' || process.env.NODE_ENV === 'test'
 * const box = new SecretBox(isDevelopment ? devKeys() : kmsKeys({ sealWith: keyArn, accept: [keyArn] }))
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

  /** Seals a value for one row. Calls KMS once. */
  async seal(context: SecretContext, value: SecretValue): Promise<SealedSecret> {
    return (await this.prepare(context)).seal(value)
  }

  /**
   * Fetches a data key, to seal a value later without KMS. A refresh does so before it calls the provider, so that the
   * new token is not lost if KMS becomes unavailable.
   *
   * @example
   * const prepared = await box.prepare(context)
   * try {
   *   // Here the provider grants a new token.
   *   const sealed = prepared.seal(tokensToSecret({ access_token: new SecretValue(token) }))
   * } finally {
   *   prepared.discard()
   * }
   */
  async prepare(context: SecretContext): Promise<PreparedSeal> {
    const encryption = encryptionContext(context)
    return new PreparedSeal(this.#keys.scheme, encryption, await this.#keys.generate(encryption))
  }

  /**
   * Opens a secret that was sealed for this row.
   *
   * @throws {TamperedSecretError} `secret_tampered`: it was sealed for another row, or was changed.
   */
  async open(context: SecretContext, sealed: SealedSecret): Promise<SecretValue> {
    const encryption = encryptionContext(context)
    const parts = this.#accepted(sealed)
    const load = (): Promise<Uint8Array> => this.#keys.unwrap(parts, encryption)
    const use = (key: Uint8Array): SecretValue => opened(parts, encryption, key)
    if (this.#cache !== undefined) {
      const id = [parts.keyId, base64url(parts.wrapped), JSON.stringify(encryption)].join('.')
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
   * Returns the same secret with its data key wrapped by the current key. KMS re-encrypts the data key: the secret is not
   * decrypted, the permission Decrypt is not needed, and the ciphertext does not change. It does not check whether the
   * current key wrapped the data key before; compare `keyIdOf()` with `currentKeyId()` to skip such secrets.
   */
  async rewrap(context: SecretContext, sealed: SealedSecret): Promise<SealedSecret> {
    const parts = this.#accepted(sealed)
    const { keyId, wrapped } = await this.#keys.rewrap(parts, encryptionContext(context))
    return sealedSecret({ ...parts, keyId, wrapped })
  }

  /** Returns the id of the current key, for KMS its ARN: the third part of a sealed secret. */
  currentKeyId(): Promise<string> {
    return this.#keys.currentKeyId()
  }

  /** Overwrites the cached keys and closes the connections. */
  close(): void {
    this.#cache?.clear()
    this.#keys.close()
  }

  #accepted(sealed: SealedSecret): SealedParts {
    const parts = partsOf(sealed)
    if (parts.scheme === 'dev') assertNotProduction()
    if (parts.scheme !== this.#keys.scheme) {
      const { scheme } = this.#keys
      throw new KeyNotAcceptedError(`${scheme} keys cannot open a secret that ${parts.scheme} keys sealed: store it again`)
    }
    this.#keys.assertAccepts(parts.keyId)
    return parts
  }
}

/** A fetched data key that seals one value, from `SecretBox.prepare()`. */
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
   * Seals a value without a call of KMS. Call it once.
   *
   * @throws {InvalidSecretUseError} `invalid_secret_use`: it was called before, or after `discard()`.
   */
  seal(value: SecretValue): SealedSecret {
    if (this.#key === undefined) throw new InvalidSecretUseError('a prepared key seals one value: call prepare() again')
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

  /** Overwrites the key if it was not used. */
  discard(): void {
    this.#key?.plain.fill(0)
    this.#key = undefined
  }
}

/**
 * The additional authenticated data of the cipher. It does not include the key or the wrapped data key, which a re-wrap
 * changes. It is JSON, which is unambiguous, with the members in the order of `encryptionContext`.
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
