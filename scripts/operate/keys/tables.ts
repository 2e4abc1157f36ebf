import type { SecretContext } from '../../../db/secrets/index.ts'
import type { UserId } from '../../../types/index.ts'

/**
 * Where sealed texts lie. The parts of statements are written as in the indexes `…_sealing_key_…` of these tables, or
 * PostgreSQL would not use them.
 */
export interface SealedTable {
  readonly name: string
  readonly id: string
  readonly idType: string
  readonly column: string
  /** The id of the key that sealed. */
  readonly keyId: string
  /** Which rows are sealed. */
  readonly where: string
  /** The columns that the context is made of, as JSON. */
  readonly context: string
  contextOf(columns: Readonly<Record<string, string>>): SecretContext
}

const ofToken: SealedTable['contextOf'] = ({ user_id = '', provider = '' }) => ({
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
    contextOf: ofToken,
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
    // Tokens of users that are gone: sealed for the row of user_secrets that they were in.
    name: 'public.cleanup_outbox',
    id: 'id',
    idType: 'bigint',
    column: 'sealed_token',
    keyId: `split_part(sealed_token::text, '.', 3)`,
    where: 'sealed_token is not null',
    context: `context`,
    contextOf: ofToken,
  },
]
