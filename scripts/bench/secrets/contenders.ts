import { createRequire } from 'node:module'
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { parseUserId } from '../../../db/index.ts'
import { devKeys, kmsKeys, SecretBox, SecretValue } from '../../../db/secrets/index.ts'
import type { SecretBoxOptions } from '../../../db/secrets/index.ts'
import { fromRoot } from '../../core/paths.ts'

/** An implementation of sealing and opening, with some sealed secrets. */
export interface Contender {
  readonly seal: () => Promise<unknown>
  /** Opens one of the `secrets` and returns its plaintext. */
  readonly open: (index: number) => Promise<string>
}

export const secrets = 100
/** As long as a token set with a JWT. */
const text = 'x'.repeat(1_000)
const user_id = parseUserId('5a0f7d3e-9d1b-4c55-8f5e-0a4b8c1d2e3f')
const context = { table: 'user_secrets', user_id, provider: 'github' } as const

async function contender<Sealed>(
  seal: () => Promise<Sealed>,
  open: (sealed: Sealed) => Promise<string>,
): Promise<Contender> {
  const sealed = await Promise.all(Array.from({ length: secrets }, seal))
  return { seal, open: (index) => open(sealed[index % secrets] as Sealed) }
}

function box(one: SecretBox): Promise<Contender> {
  const value = new SecretValue(text)
  return contender(
    () => one.seal(context, value),
    async (sealed) => (await one.open(context, sealed)).reveal(),
  )
}

/** Long enough for a busy machine. */
const deadlineMs = 30_000
const cache = { maxKeys: 1_000, maxAgeMs: 600_000 }

export const localBox = (): Promise<Contender> => box(new SecretBox(devKeys()))

export const kmsBox = (endpoint: string, arn: string, options: SecretBoxOptions = {}): Promise<Contender> =>
  box(new SecretBox(kmsKeys({ sealWith: arn, accept: [arn], endpoint, deadlineMs }), options))

export const cachedBox = (endpoint: string, arn: string): Promise<Contender> => kmsBox(endpoint, arn, { cache })

/** Encrypts every secret with KMS itself, which accepts at most 4096 bytes. Calls have the same deadline as those of a box. */
export function kmsAlone(endpoint: string, arn: string): Promise<Contender> {
  const requestHandler = {
    connectionTimeout: deadlineMs * 0.2,
    requestTimeout: deadlineMs * 0.4,
    throwOnRequestTimeout: true,
  }
  const client = new KMSClient({ endpoint, region: regionOf(arn), requestHandler })
  const inTime = () => ({ abortSignal: AbortSignal.timeout(deadlineMs) })
  const EncryptionContext = { ...context }
  return contender(
    async () => {
      const { CiphertextBlob } = await client.send(
        new EncryptCommand({ KeyId: arn, Plaintext: Buffer.from(text), EncryptionContext }),
        inTime(),
      )
      return Buffer.from(CiphertextBlob as Uint8Array).toString('base64url')
    },
    async (sealed) => {
      const CiphertextBlob = Buffer.from(sealed, 'base64url')
      const command = new DecryptCommand({ KeyId: arn, CiphertextBlob, EncryptionContext })
      const { Plaintext } = await client.send(command, inTime())
      return Buffer.from(Plaintext as Uint8Array).toString()
    },
  )
}

/** The part of `@aws-crypto/client-node` that is used here. It is installed on demand. */
interface AwsCrypto {
  readonly CommitmentPolicy: { readonly REQUIRE_ENCRYPT_REQUIRE_DECRYPT: unknown }
  readonly AlgorithmSuiteIdentifier: { readonly ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY: unknown }
  buildClient(policy: unknown): {
    encrypt(materials: object, plain: Buffer, options: object): Promise<{ readonly result: Buffer }>
    decrypt(materials: object, text: Buffer): Promise<{ readonly plaintext: Buffer }>
  }
  readonly KmsKeyringNode: new (options: object) => object
  readonly NodeCachingMaterialsManager: new (options: object) => object
  getLocalCryptographicMaterialsCache(capacity: number): object
}

/** The AWS Encryption SDK, without its default signature, because a SecretBox does not sign either. */
export function awsLibrary(endpoint: string, arn: string, isCached: boolean): Promise<Contender> {
  const load = createRequire(fromRoot('scripts/bench/peers/package.json'))
  const sdk = load('@aws-crypto/client-node') as AwsCrypto
  const { KMS } = load('@aws-sdk/client-kms') as { readonly KMS: new (options: object) => object }
  const { encrypt, decrypt } = sdk.buildClient(sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
  const clientProvider = (region: string): object => new KMS({ endpoint, region })
  const keyring = new sdk.KmsKeyringNode({ generatorKeyId: arn, clientProvider })
  const reader = isCached
    ? new sdk.NodeCachingMaterialsManager({
        backingMaterials: keyring,
        cache: sdk.getLocalCryptographicMaterialsCache(cache.maxKeys),
        maxAge: cache.maxAgeMs,
      })
    : keyring
  const suiteId = sdk.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY
  return contender(
    async () => {
      const { result } = await encrypt(keyring, Buffer.from(text), { suiteId, encryptionContext: { ...context } })
      return result.toString('base64url')
    },
    async (sealed) => (await decrypt(reader, Buffer.from(sealed, 'base64url'))).plaintext.toString(),
  )
}

const regionOf = (arn: string): string => arn.split(':')[3] as string
