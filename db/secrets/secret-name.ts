import type { UserId } from '../../types/index.ts'
import type { SecretContext } from './crypto/context.ts'

/** Which secret: a user has one per provider, a slug: `github`. */
export interface SecretName {
  readonly user_id: UserId
  readonly provider: string
}

/**
 * Says what a user's secret is bound to: what `SecretBox` opens it with. For services that take sealed texts elsewhere.
 *
 * @returns the context of the row.
 * @example
 * const bound = user_secrets.contextOf({ user_id: userId, provider: 'github' })
 */
export const contextOf = ({ user_id, provider }: SecretName): SecretContext => ({
  table: 'user_secrets',
  user_id,
  provider,
})
