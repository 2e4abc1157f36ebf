import type { AppId, GenerationId, SecretId, SnapshotId, UserId } from '../../types/index.ts'
import { InvalidIdError } from './errors.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Returns whether the value is a UUID, as a user's id is. Anybody may call it. */
export const isUserId = (value: unknown): value is UserId => typeof value === 'string' && uuid.test(value)

/**
 * Converts an untrusted value, such as the `sub` of a verified token, to a `UserId`. Anybody may call it. It does not
 * check that the user exists.
 *
 * @returns the id in lower case.
 * @throws {InvalidIdError} `invalid_id`: the value is not a UUID.
 * @example
 * const userId = parseUserId(claims.sub)
 */
export const parseUserId = (value: unknown): UserId => parseUuid(value, "a user's id") as UserId

/**
 * Converts an untrusted value, such as a part of a path, to an `AppId`. Anybody may call it. It does not check that the
 * app exists.
 *
 * @returns the id in lower case.
 * @throws {InvalidIdError} `invalid_id`: the value is not a UUID.
 * @example
 * const appId = parseAppId(request.params.app)
 */
export const parseAppId = (value: unknown): AppId => parseUuid(value, "an app's id") as AppId

/**
 * Converts an untrusted value to a `SecretId`. Anybody may call it. It does not check that the secret exists.
 *
 * @returns the id in lower case.
 * @throws {InvalidIdError} `invalid_id`: the value is not a UUID.
 * @example
 * const secretId = parseSecretId(request.params.secret)
 */
export const parseSecretId = (value: unknown): SecretId => parseUuid(value, "a secret's id") as SecretId

/**
 * Converts an untrusted value, a number or its decimal digits, to a `GenerationId`. Anybody may call it. It does not
 * check that the generation exists.
 *
 * @returns the id as a number.
 * @throws {InvalidIdError} `invalid_id`: the value is not a whole number from 1 to 2147483647.
 * @example
 * const generationId = parseGenerationId(request.params.generation)
 */
export const parseGenerationId = (value: unknown): GenerationId => parseSerial(value, "a generation's id") as GenerationId

/**
 * Converts an untrusted value, a number or its decimal digits, to a `SnapshotId`. Anybody may call it. It does not check
 * that the snapshot exists.
 *
 * @returns the id as a number.
 * @throws {InvalidIdError} `invalid_id`: the value is not a whole number from 1 to 2147483647.
 * @example
 * const snapshotId = parseSnapshotId(request.params.snapshot)
 */
export const parseSnapshotId = (value: unknown): SnapshotId => parseSerial(value, "a snapshot's id") as SnapshotId

function parseUuid(value: unknown, name: string): string {
  if (typeof value !== 'string' || !uuid.test(value)) throw new InvalidIdError('invalid_id', `${name} has to be a UUID: check the caller's input`)
  return value.toLowerCase()
}

function parseSerial(value: unknown, name: string): number {
  const digits = typeof value === 'number' ? String(value) : value
  if (typeof digits === 'string' && /^[1-9][0-9]{0,9}$/.test(digits) && Number(digits) <= 2 ** 31 - 1) return Number(digits)
  throw new InvalidIdError('invalid_id', `${name} has to be a whole number from 1 to ${2 ** 31 - 1}: check the caller's input`)
}
