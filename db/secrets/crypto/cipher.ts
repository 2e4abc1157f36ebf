import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

export const keyBytes = 32
export const nonceBytes = 12
export const tagBytes = 16

const algorithm = 'aes-256-gcm'

/** Encrypts with AES-256-GCM. Returns nonce, ciphertext and tag. */
export function encrypt(key: Uint8Array, plain: Uint8Array, additionalData: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(additionalData))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Returns undefined if the body was not encrypted with this key and additional data. */
export function decrypt(key: Uint8Array, body: Uint8Array, additionalData: string): Buffer | undefined {
  if (body.length < nonceBytes + tagBytes) return undefined
  const decipher = createDecipheriv(algorithm, key, body.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(Buffer.from(additionalData))
    .setAuthTag(body.subarray(-tagBytes))
  const plain = decipher.update(body.subarray(nonceBytes, -tagBytes))
  try {
    decipher.final()
    return plain
  } catch {
    // Not authenticated, so it must not be returned.
    plain.fill(0)
    return undefined
  }
}
