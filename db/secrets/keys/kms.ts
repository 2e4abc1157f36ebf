import { keyBytes } from '../crypto/cipher.ts'
import { InvalidSecretUseError, KeyNotAcceptedError, KeyServiceUnavailableError } from '../errors.ts'
import type { KeyProvider } from './key-provider.ts'
import { KmsConnection } from './kms-connection.ts'

/** Options of `kmsKeys`. */
export interface KmsOptions {
  /** The current key: the ARN of an accepted key, or an alias of one (`alias/leo`, or the ARN of the alias). */
  readonly sealWith: string
  /** The ARNs of the keys whose secrets can be opened, all of one region; two during a rotation. */
  readonly accept: readonly string[]
  /** The deadline of one call of KMS with its retries, in milliseconds; 5000 if absent. */
  readonly deadlineMs?: number
  /** The URL of KMS; the endpoint that the AWS SDK determines if absent. In production it has to be https. */
  readonly endpoint?: string
}

/** Has no dots, which separate the parts of a sealed text. */
const keyArn = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key\/[A-Za-z0-9-]+$/

/**
 * Creates a key provider that uses AWS KMS. For services. It loads `@aws-sdk/client-kms` at the first call, which finds
 * its credentials as usual. `seal` needs `kms:GenerateDataKey`, `open` `kms:Decrypt`, `rewrap` `kms:ReEncryptFrom` and
 * `kms:ReEncryptTo`, and `currentKeyId` `kms:DescribeKey` if `sealWith` is an alias.
 *
 * @returns the key provider for `SecretBox`.
 * @throws {InvalidSecretUseError} `invalid_secret_use`: the options are invalid. Later calls throw other `SecretError`s.
 * @example
 * const box = new SecretBox(kmsKeys({ sealWith: keyArn, accept: [keyArn, oldKeyArn] }))
 */
export function kmsKeys({ sealWith, accept, deadlineMs = 5000, endpoint }: KmsOptions): KeyProvider {
  const accepted = new Set(accept)
  const connection = new KmsConnection({ region: regionOf(accept), deadlineMs, endpoint })
  if (!accepted.has(sealWith) && !/^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?alias\//.test(sealWith)) {
    throw new InvalidSecretUseError('the key in sealWith is not accepted: add its ARN to accept')
  }

  const acceptedKey = (keyId: string | undefined): string => {
    if (keyId !== undefined && accepted.has(keyId)) return keyId
    throw new KeyNotAcceptedError('a KMS key is not accepted: add its ARN to the accepted keys if you trust it')
  }

  return {
    scheme: 'kms',
    assertAccepts: acceptedKey,
    async generate(context) {
      const { KeyId, CiphertextBlob, Plaintext } = await connection.send(({ sdk, client }, options) =>
        client.send(
          new sdk.GenerateDataKeyCommand({ KeyId: sealWith, KeySpec: 'AES_256', EncryptionContext: context }),
          options,
        ),
      )
      // The alias may point to a key that is not accepted.
      return { keyId: acceptedKey(KeyId), wrapped: present(CiphertextBlob), plain: dataKey(Plaintext) }
    },
    async unwrap({ keyId, wrapped }, context) {
      const { Plaintext } = await connection.send(({ sdk, client }, options) =>
        client.send(
          new sdk.DecryptCommand({ KeyId: keyId, CiphertextBlob: wrapped, EncryptionContext: context }),
          options,
        ),
      )
      return dataKey(Plaintext)
    },
    async rewrap({ keyId, wrapped }, context) {
      const { KeyId, CiphertextBlob } = await connection.send(({ sdk, client }, options) =>
        client.send(
          new sdk.ReEncryptCommand({
            SourceKeyId: keyId,
            SourceEncryptionContext: context,
            CiphertextBlob: wrapped,
            DestinationKeyId: sealWith,
            DestinationEncryptionContext: context,
          }),
          options,
        ),
      )
      return { keyId: acceptedKey(KeyId), wrapped: present(CiphertextBlob) }
    },
    async currentKeyId() {
      if (accepted.has(sealWith)) return sealWith
      const { KeyMetadata } = await connection.send(({ sdk, client }, options) =>
        client.send(new sdk.DescribeKeyCommand({ KeyId: sealWith }), options),
      )
      return acceptedKey(KeyMetadata?.Arn)
    },
    close: () => connection.close(),
  }
}

/** All keys have to be of one region, because a data key cannot be unwrapped in another. */
function regionOf(arns: readonly string[]): string {
  const [region, ...others] = new Set(arns.map((arn) => keyArn.exec(arn)?.[1]))
  if (region === undefined || others.length > 0) {
    throw new InvalidSecretUseError('the accepted keys are invalid: pass ARNs of keys, one or more, all of one region')
  }
  return region
}

function dataKey(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes?.length !== keyBytes) throw unreadable()
  return bytes
}

function present(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw unreadable()
  return bytes
}

const unreadable = (): KeyServiceUnavailableError =>
  new KeyServiceUnavailableError('KMS sent an invalid answer: check proxies between the service and KMS')
