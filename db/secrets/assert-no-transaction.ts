import type { ServiceDatabase } from '../client/session.ts'
import { InvalidSecretUseError } from './errors.ts'

/**
 * Rejects a call inside a transaction, which would hold its connection and locks for the seconds that KMS may take.
 *
 * @throws {InvalidSecretUseError} `invalid_secret_use`: `db` is a transaction.
 */
export function assertOutsideTransaction(db: ServiceDatabase): void {
  if (!db.isTransaction) return
  throw new InvalidSecretUseError('KMS is not called inside a transaction: pass the database instead of the transaction')
}
