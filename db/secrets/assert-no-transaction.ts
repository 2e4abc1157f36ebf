import type { ServiceDatabase } from '../client/session.ts'
import { InvalidSecretUseError } from './errors.ts'

/**
 * KMS may take seconds, and a transaction keeps its connection and its locks for as long.
 *
 * @throws {InvalidSecretUseError} inside of one.
 */
export function assertOutsideTransaction(db: ServiceDatabase): void {
  if (!db.isTransaction) return
  throw new InvalidSecretUseError('KMS is not called while a transaction waits: pass the database, before or after it')
}
