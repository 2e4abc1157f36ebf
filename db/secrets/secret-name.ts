import type { UserId } from '../../types/index.ts'
import type { SecretContext } from './crypto/context.ts'

/** Identifies a secret: a user has one per provider, a slug such as `github`. */
export interface SecretName {
  readonly user_id: UserId
  readonly provider: string
}

/**
 * Returns the context with which `SecretBox` seals and opens a user's secret. For services that handle sealed texts
 * themselves.
 *
 * @returns the context of the row.
 * @example
 * const context = user_secrets.contextOf({ user_id: userId, provider: 'github' })
 */
export const contextOf = ({ user_id, provider }: SecretName): SecretContext => ({
  table: 'user_secrets',
  user_id,
  provider,
})
