import type { SecretContext } from '../../../db/secrets/index.ts'
import type { UserId } from '../../../types/index.ts'

/**
 * A table with sealed secrets. The SQL expressions are written exactly as in the indexes
 * `…_sealing_key_…` of these tables; otherwise the planner would not use these indexes.
 */
export interface SealedTable {
  readonly name: string
  readonly id: string
  readonly idType: string
  readonly column: string
  /** SQL expression for the id of the key that sealed a row. */
  readonly keyId: string
  /** SQL condition for the sealed rows. */
  readonly where: string
  /** SQL expression for the columns of the secret's context, as JSON. */
  readonly context: string
  contextOf(columns: Readonly<Record<string, string>>): SecretContext
}

const tokenContext: SealedTable['contextOf'] = ({ user_id = '', provider = '' }) => ({
  table: 'user_secrets',
  user_id: user_id as UserId,
  provider,
})

export const sealedTables: readonly SealedTable[] = [
  {
    name: 'public.user_secrets',
    id: 'id',
    idType: 'uuid',
    column: 'encrypted_token',
    keyId: `split_part(encrypted_token::text, '.', 3)`,
    where: 'true',
    context: `jsonb_build_object('user_id', user_id, 'provider', provider)`,
    contextOf: tokenContext,
  },
  {
    name: 'public.deployment_config',
    id: 'key',
    idType: 'text',
    column: 'value',
    keyId: `split_part(value, '.', 3)`,
    where: 'encrypted',
    context: `jsonb_build_object('key', key)`,
    contextOf: ({ key = '' }) => ({ table: 'deployment_config', key }),
  },
  {
    // Tokens of deleted users, still sealed with the context of their row in user_secrets.
    name: 'public.cleanup_outbox',
    id: 'id',
    idType: 'bigint',
    column: 'sealed_token',
    keyId: `split_part(sealed_token::text, '.', 3)`,
    where: 'sealed_token is not null',
    context: `context`,
    contextOf: tokenContext,
  },
]
