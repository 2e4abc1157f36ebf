import { keyBytes } from '../crypto/cipher.ts'
import { InvalidSecretUseError, KeyNotAcceptedError, KeyServiceUnavailableError } from '../errors.ts'
import type { KeyProvider } from './key-provider.ts'
import { KmsConnection } from './kms-connection.ts'

/** Which keys of KMS, and how long to wait for it. */
export interface KmsOptions {
  /** The key that seals: the ARN of an accepted one, or an alias that points to one (`alias/leo`, or its ARN). */
  readonly sealWith: string
  /** ARNs of the keys whose secrets are opened, all of one region. While keys are being rotated these are two. */
  readonly accept: readonly string[]
  /** For one call of KMS with its retries; 5000 if absent. */
  readonly deadlineMs?: number
  /** Where KMS is, if it is not where the AWS SDK looks for it; only https in production. */
  readonly endpoint?: string
}

/** Without dots, which the stored form has between its parts. */
const keyArn = /^arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key\/[A-Za-z0-9-]+$/

/**
 * Makes data keys from AWS KMS, by `@aws-sdk/client-kms`, which is loaded when first used and takes its credentials from
 * where the SDK looks for them. For services. Sealing needs `kms:GenerateDataKey`, opening `kms:Decrypt`, re-wrapping
 * `kms:ReEncryptFrom` and `kms:ReEncryptTo`, an alias in `sealWith` also `kms:DescribeKey` for `currentKeyId()`.
 *
 * @returns what `SecretBox` takes.
 * @throws {InvalidSecretUseError} for settings that cannot work. All later errors are other `SecretError`s.
 * @example
 * const box = new SecretBox(kmsKeys({ sealWith: keyArn, accept: [keyArn, oldKeyArn] }))
 */
export function kmsKeys({ sealWith, accept, deadlineMs = 5000, endpoint }: KmsOptions): KeyProvider {
  const accepted = new Set(accept)
  const connection = new KmsConnection({ region: regionOf(accept), deadlineMs, endpoint })
  if (!accepted.has(sealWith) && !/^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?alias\//.test(sealWith)) {
    throw new InvalidSecretUseError('the key that seals is not among the accepted ones: add its ARN to them')
  }

  const acceptedKey = (keyId: string | undefined): string => {
    if (keyId !== undefined && accepted.has(keyId)) return keyId
    throw new KeyNotAcceptedError('a key of KMS is not among the accepted ones: add its ARN if it should be')
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
      // An alias may have been moved to a key that nobody here may open.
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

/** A wrapped key is not carried to another region, so neither can be what goes with it. */
function regionOf(arns: readonly string[]): string {
  const [region, ...others] = new Set(arns.map((arn) => keyArn.exec(arn)?.[1]))
  if (region === undefined || others.length > 0) {
    throw new InvalidSecretUseError('the accepted keys have to be ARNs of keys, one or more, all of one region')
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
  new KeyServiceUnavailableError('KMS answered something else: look at what is between it and the service')
