import { createHash, randomBytes } from 'node:crypto'
import { decrypt, encrypt, keyBytes } from '../crypto/cipher.ts'
import type { EncryptionContext } from '../crypto/context.ts'
import { InsecureInProductionError, KeyNotAcceptedError, TamperedSecretError } from '../errors.ts'
import { isProduction } from './key-provider.ts'
import type { KeyProvider, WrappedKey } from './key-provider.ts'

const keyId = 'embedded'

/** Not secret: it is part of this package. */
const embeddedKey = createHash('sha256').update('leo-saas-schema, the key for development').digest()

/**
 * Creates a key provider without KMS, whose key is part of this package. For services in development, and for tests. It
 * requires that NODE_ENV is `development` or `test`.
 *
 * @returns the key provider for `SecretBox`.
 * @throws {InsecureInProductionError} `insecure_in_production`: NODE_ENV is another value; each later use throws it too.
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
      throw new KeyNotAcceptedError('a secret was sealed with an unknown development key: store it again')
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
    throw new InsecureInProductionError('the development key is public: use kmsKeys, or set NODE_ENV=development')
  }
}
