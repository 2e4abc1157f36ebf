import process from 'node:process'
import { devKeys, kmsKeys, SecretBox, SecretError } from '../../../db/secrets/index.ts'
import { isProduction } from '../../../db/secrets/keys/key-provider.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'

/*
 * The keys, as the environment of an operator says:
 *   KMS_SEAL_WITH  the key that seals: its ARN, or an alias of it
 *   KMS_ACCEPT     the ARNs of all keys that may have sealed, with commas between them; they say the region
 * Credentials, profiles and an endpoint (AWS_ENDPOINT_URL_KMS) are the AWS SDK's to look for.
 */

/** Undefined when nobody says. */
export function acceptedKeys(): ReadonlySet<string> | undefined {
  const text = process.env['KMS_ACCEPT']?.trim()
  return text ? new Set(text.split(',').map((arn) => arn.trim())) : undefined
}

/** @throws Failure without settings, or with such as cannot work. */
export function kmsBox(): SecretBox {
  const sealWith = process.env['KMS_SEAL_WITH']?.trim()
  const accept = acceptedKeys()
  if (!sealWith || accept === undefined) {
    const remedy = 'set the key that seals, and the ARNs of all accepted keys'
    throw new Failure('KMS_SEAL_WITH or KMS_ACCEPT is not set', remedy)
  }
  try {
    return new SecretBox(kmsKeys({ sealWith, accept: [...accept] }))
  } catch (cause) {
    if (!(cause instanceof SecretError)) throw cause
    throw new Failure(cause.message, 'correct KMS_SEAL_WITH and KMS_ACCEPT', { cause })
  }
}

/** KMS where it is set up; else the key for development, for a database of this machine only. */
export function boxFor(target: Target): SecretBox {
  if (process.env['KMS_SEAL_WITH'] || process.env['KMS_ACCEPT']) return kmsBox()
  if (target.isLocal && !isProduction()) return new SecretBox(devKeys())
  throw new Failure(
    'secrets need a key of KMS',
    'set KMS_SEAL_WITH and KMS_ACCEPT; for a local database NODE_ENV=development does, too',
  )
}
