import type { AppId, GenerationId, SecretId, SnapshotId, UserId } from '../../types/index.ts'
import { InvalidIdError } from './errors.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether it is a user's id: a UUID. Anybody may ask. */
export const isUserId = (value: unknown): value is UserId => typeof value === 'string' && uuid.test(value)

/**
 * Makes a `UserId` out of what came from outside: the `sub` of a verified token. Anybody may call it; it asks nobody
 * whether there is such a user.
 *
 * @returns the id in lower case.
 * @throws {InvalidIdError} `invalid_id`: it is no UUID.
 * @example
 * const userId = parseUserId(claims.sub)
 */
export const parseUserId = (value: unknown): UserId => parseUuid(value, "a user's id") as UserId

/**
 * Makes an `AppId` out of what came from outside: a path, a body. Anybody may call it.
 *
 * @returns the id in lower case.
 * @throws {InvalidIdError} `invalid_id`: it is no UUID.
 * @example
 * const appId = parseAppId(request.params.app)
 */
export const parseAppId = (value: unknown): AppId => parseUuid(value, "an app's id") as AppId

/**
 * Makes a `SecretId` out of what came from outside. Anybody may call it.
 *
 * @returns the id in lower case.
 * @throws {InvalidIdError} `invalid_id`: it is no UUID.
 * @example
 * const secretId = parseSecretId(request.params.secret)
 */
export const parseSecretId = (value: unknown): SecretId => parseUuid(value, "a secret's id") as SecretId

/**
 * Makes a `GenerationId` out of what came from outside, a number or its digits. Anybody may call it.
 *
 * @returns the id as a number.
 * @throws {InvalidIdError} `invalid_id`: it is no whole number from 1 to 2147483647.
 * @example
 * const generationId = parseGenerationId(request.params.generation)
 */
export const parseGenerationId = (value: unknown): GenerationId => parseSerial(value, "a generation's id") as GenerationId

/**
 * Makes a `SnapshotId` out of what came from outside, a number or its digits. Anybody may call it.
 *
 * @returns the id as a number.
 * @throws {InvalidIdError} `invalid_id`: it is no whole number from 1 to 2147483647.
 * @example
 * const snapshotId = parseSnapshotId(request.params.snapshot)
 */
export const parseSnapshotId = (value: unknown): SnapshotId => parseSerial(value, "a snapshot's id") as SnapshotId

function parseUuid(value: unknown, what: string): string {
  if (typeof value !== 'string' || !uuid.test(value)) throw new InvalidIdError('invalid_id', `${what} is a UUID, and this is none`)
  return value.toLowerCase()
}

function parseSerial(value: unknown, what: string): number {
  const digits = typeof value === 'number' ? String(value) : value
  if (typeof digits === 'string' && /^[1-9][0-9]{0,9}$/.test(digits) && Number(digits) <= 2 ** 31 - 1) return Number(digits)
  throw new InvalidIdError('invalid_id', `${what} is a whole number from 1 to ${2 ** 31 - 1}, and this is none`)
}
