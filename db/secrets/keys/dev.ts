import { createHash, randomBytes } from 'node:crypto'
import { decrypt, encrypt, keyBytes } from '../crypto/cipher.ts'
import type { EncryptionContext } from '../crypto/context.ts'
import { InsecureInProductionError, KeyNotAcceptedError, TamperedSecretError } from '../errors.ts'
import { isProduction } from './key-provider.ts'
import type { KeyProvider, WrappedKey } from './key-provider.ts'

const keyId = 'embedded'

/** No secret: everybody has this package. */
const embeddedKey = createHash('sha256').update('leo-saas-schema, the key for development').digest()

/**
 * Keys without KMS. For services in development, and for tests: seals by a key that is in this package. Works only where
 * NODE_ENV is exactly `development` or `test`.
 *
 * @returns what `SecretBox` takes.
 * @throws {InsecureInProductionError} anywhere else, and at each later use too.
 * @example
 * const box = new SecretBox(devKeys())
 */
export function devKeys(): KeyProvider {
  assertNotProduction()
  const aad = (context: EncryptionContext): string => JSON.stringify(context)
  const wrap = (plain: Uint8Array, context: EncryptionContext): WrappedKey => ({
    keyId,
    wrapped: encrypt(embeddedKey, plain, aad(context)),
  })
  const unwrap = (key: WrappedKey, context: EncryptionContext): Buffer => {
    assertNotProduction()
    const plain = decrypt(embeddedKey, key.wrapped, aad(context))
    if (plain === undefined) throw new TamperedSecretError()
    return plain
  }
  return {
    scheme: 'dev',
    assertAccepts(id) {
      if (id === keyId) return
      throw new KeyNotAcceptedError('a secret was sealed by an unknown development key: store it anew')
    },
    generate: async (context) => {
      assertNotProduction()
      const plain = randomBytes(keyBytes)
      return { plain, ...wrap(plain, context) }
    },
    unwrap: async (key, context) => unwrap(key, context),
    rewrap: async (key, context) => {
      const plain = unwrap(key, context)
      try {
        return wrap(plain, context)
      } finally {
        plain.fill(0)
      }
    },
    currentKeyId: async () => keyId,
    close: () => undefined,
  }
}

export function assertNotProduction(): void {
  if (isProduction()) {
    throw new InsecureInProductionError('the development key protects nothing: use kmsKeys, or NODE_ENV=development')
  }
}
