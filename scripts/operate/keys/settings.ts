import process from 'node:process'
import { devKeys, kmsKeys, SecretBox, SecretError } from '../../../db/secrets/index.ts'
import { isProduction } from '../../../db/secrets/keys/key-provider.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'

/*
 * The KMS keys, from the environment:
 *   KMS_SEAL_WITH  the sealing key: its ARN or an alias
 *   KMS_ACCEPT     the ARNs of all accepted keys, separated by commas; they also give the region
 * The AWS SDK reads credentials, profiles and an endpoint (AWS_ENDPOINT_URL_KMS) itself.
 */

/** @returns undefined when KMS_ACCEPT is not set. */
export function acceptedKeys(): ReadonlySet<string> | undefined {
  const text = process.env['KMS_ACCEPT']?.trim()
  return text ? new Set(text.split(',').map((arn) => arn.trim())) : undefined
}

/** @throws Failure when the settings are missing or invalid. */
export function kmsBox(): SecretBox {
  const sealWith = process.env['KMS_SEAL_WITH']?.trim()
  const accept = acceptedKeys()
  if (!sealWith || accept === undefined) {
    const remedy = 'set the sealing key and the ARNs of all accepted keys'
    throw new Failure('KMS_SEAL_WITH or KMS_ACCEPT is not set', remedy)
  }
  try {
    return new SecretBox(kmsKeys({ sealWith, accept: [...accept] }))
  } catch (cause) {
    if (!(cause instanceof SecretError)) throw cause
    throw new Failure(cause.message, 'correct KMS_SEAL_WITH and KMS_ACCEPT', { cause })
  }
}

/** Uses KMS when it is configured; otherwise the development key, for a local database only. */
export function boxFor(target: Target): SecretBox {
  if (process.env['KMS_SEAL_WITH'] || process.env['KMS_ACCEPT']) return kmsBox()
  if (target.isLocal && !isProduction()) return new SecretBox(devKeys())
  throw new Failure(
    'sealing secrets requires a KMS key',
    'set KMS_SEAL_WITH and KMS_ACCEPT; for a local database NODE_ENV=development is enough',
  )
}
