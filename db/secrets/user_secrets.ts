/** Secrets of users: one per user and provider, usually a set of OAuth tokens. */
import { CompiledQuery } from 'kysely'
import type { Row } from '../../types/index.ts'
import { NotFoundError } from '../client/errors.ts'
import { keyset, limitOf } from '../queries/page.ts'
import type { Page } from '../queries/page.ts'
import type { ServiceDatabase, UserTransaction } from '../client/session.ts'
import type { SecretBox } from './secret-box.ts'
import { assertOutsideTransaction } from './assert-no-transaction.ts'
import { isRejected } from './refresh/lease.ts'
import { contextOf } from './secret-name.ts'
import type { SecretName } from './secret-name.ts'
import { tokensToSecret } from './tokens.ts'
import type { TokenSet } from './tokens.ts'
import type { SecretValue } from './crypto/value.ts'

export { contextOf } from './secret-name.ts'
export type { SecretName } from './secret-name.ts'
export type { UnsavedRefresh } from './errors.ts'
export { refresh } from './refresh/refresh.ts'
export type { RefreshOptions } from './refresh/refresh.ts'
export type { Exchange } from './refresh/holder.ts'
export { saveRefresh } from './refresh/lease.ts'

const columns = ['id', 'user_id', 'provider', 'expires_at', 'created_at', 'updated_at'] as const

/** A secret without its value. */
export type SecretMetadata = Pick<Row<'user_secrets'>, (typeof columns)[number]>

/** An opened secret. */
export interface OpenedSecret extends SecretMetadata {
  /** `secretToTokens()` decodes it if it is a set of tokens. */
  readonly value: SecretValue
}

/** A secret to store: a set of tokens, or another value with its expiry. */
export type NewSecret = SecretName &
  ({ readonly tokens: TokenSet } | { readonly value: SecretValue; readonly expires_at?: Date | null })

// Sets the acting user, so that the activity log records a connection. A refresh or a re-wrap of the row is not recorded.
const putText = `
  with owner as materialized (select set_config('leo.acting_user', $1, true)::uuid as user_id)
  insert into user_secrets (user_id, provider, encrypted_token, expires_at)
  select o.user_id, $2, $3, $4::timestamptz from owner as o
  on conflict (user_id, provider) do update
    set encrypted_token = excluded.encrypted_token, expires_at = excluded.expires_at
  returning ${columns.join(', ')}`

/**
 * Seals a user's secret and stores it, replacing an existing one. For services, outside of transactions.
 *
 * @param secret `expires_at`: when the secret expires; absent or null if it does not. Tokens have their own.
 * @returns the stored secret without its value.
 * @throws {ConstraintError} `user_not_found`: the user was deleted.
 * @throws {InvalidSecretUseError} `invalid_secret_use`: the provider is not a slug, or `db` is a transaction.
 * @throws {SecretError} as `SecretBox.seal`.
 * @example
 * await user_secrets.put(serviceDb, box, { user_id: userId, provider: 'github', tokens: { access_token: new SecretValue(token) } })
 */
export async function put(db: ServiceDatabase, box: SecretBox, secret: NewSecret): Promise<SecretMetadata> {
  assertOutsideTransaction(db)
  const [value, expires_at] =
    'tokens' in secret ? [tokensToSecret(secret.tokens), secret.tokens.expires_at] : [secret.value, secret.expires_at]
  const sealed = await box.seal(contextOf(secret), value)
  const query = CompiledQuery.raw(putText, [secret.user_id, secret.provider, sealed, expires_at ?? null])
  const { rows } = await db.executeQuery<SecretMetadata>(query)
  return rows[0]!
}

/**
 * Reads and opens a user's secret. For services, outside of transactions.
 *
 * @returns the secret, which may have expired; `undefined` if the user has not connected the provider.
 * @throws {SecretError} as `SecretBox.open`; `secret_tampered`: it was sealed for another user or provider.
 * @example
 * const secret = await user_secrets.find(serviceDb, box, { user_id: userId, provider: 'fly' })
 */
export async function find(db: ServiceDatabase, box: SecretBox, name: SecretName): Promise<OpenedSecret | undefined> {
  assertOutsideTransaction(db)
  const row = await db
    .selectFrom('user_secrets')
    .select([...columns, 'encrypted_token'])
    .where('user_id', '=', name.user_id)
    .where('provider', '=', name.provider)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { encrypted_token, ...metadata } = row
  return { ...metadata, value: await box.open(contextOf(name), encrypted_token) }
}

/**
 * Reads a secret that has to exist, as `find` does. For services, outside of transactions.
 *
 * @throws {NotFoundError} `not_found`: the user has not connected the provider.
 * @throws {SecretError} as `SecretBox.open`.
 * @example
 * const name = { user_id: userId, provider: 'github' }
 * await user_secrets.put(serviceDb, box, { ...name, value: new SecretValue(token) })
 * const { value } = await user_secrets.get(serviceDb, box, name)
 */
export async function get(db: ServiceDatabase, box: SecretBox, name: SecretName): Promise<OpenedSecret> {
  const secret = await find(db, box, name)
  if (secret === undefined) throw new NotFoundError('not_found', 'the user has not connected this provider: ask the user to connect it')
  return secret
}

/**
 * Deletes a user's secret. A token that has to be revoked at the provider is inserted into `cleanup_outbox`. For
 * services.
 *
 * @returns `not_found` if the user has not connected the provider.
 * @example
 * const { outcome } = await user_secrets.delete(serviceDb, { user_id: userId, provider: 'github' })
 */
async function remove(
  db: ServiceDatabase,
  { user_id, provider }: SecretName,
): Promise<{ outcome: 'deleted' } | { outcome: 'not_found' }> {
  const deleted = await db
    .deleteFrom('user_secrets')
    .where('user_id', '=', user_id)
    .where('provider', '=', provider)
    .returning('id')
    .executeTakeFirst()
  return { outcome: deleted === undefined ? 'not_found' : 'deleted' }
}
export { remove as delete }

const expiring = keyset('user_secrets.expiring', 'time', 'uuid')

const listExpiringText = `
  select
    ${columns.map((column) => `s.${column}`).join(', ')},
    (extract(epoch from s.expires_at) * 1000000)::bigint as micros
  from user_secrets as s
  where s.expires_at < $1::timestamptz
    and (s.expires_at, s.id) > (
      case when $2::bigint is null then '-infinity' else timestamptz 'epoch' + $2 * interval '1 microsecond' end,
      case when $2 is null then '00000000-0000-0000-0000-000000000000' else $3::uuid end
    )
    and (${isRejected('s')}) is not true
  order by s.expires_at, s.id
  limit $4`

/**
 * Lists secrets that have expired or expire before a time, ordered by expiry. It omits tokens that the provider rejected,
 * because their users have to connect again. For the service that refreshes tokens in advance.
 *
 * @returns a page, empty if no secret expires, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const soon = new Date(Date.now() + 600_000)
 * const { secrets } = await user_secrets.listExpiring(serviceDb, { before: soon, limit: 100 })
 */
export async function listExpiring(
  db: ServiceDatabase,
  { before, ...page }: { readonly before: Date } & Page,
): Promise<{ secrets: SecretMetadata[]; next: string | null }> {
  const [time, id] = expiring.after(page) ?? []
  const query = CompiledQuery.raw(listExpiringText, [before, time ?? null, id ?? null, limitOf(page) + 1])
  const found = await db.executeQuery<SecretMetadata & { readonly micros: bigint }>(query)
  const { rows, next } = expiring.cut(found.rows, page, ({ micros, id }) => [micros, id])
  return { secrets: rows.map(({ micros, ...metadata }) => metadata), next }
}

const own = keyset('user_secrets.own', 'text')

/**
 * Lists the secrets of the user by provider, without their values. For users, inside `asUser`.
 *
 * @returns a page, empty if no provider is connected, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { secrets } = await asUser(db, userId, (trx) => user_secrets.listOwn(trx))
 */
export async function listOwn(
  trx: UserTransaction,
  page: Page = {},
): Promise<{ secrets: SecretMetadata[]; next: string | null }> {
  const after = own.after(page)
  const found = await trx
    .selectFrom('user_secrets')
    .select(columns)
    .$if(after !== undefined, (query) => query.where('provider', '>', after![0]))
    .orderBy('provider')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = own.cut(found, page, ({ provider }) => [provider])
  return { secrets: rows, next }
}

/**
 * Deletes the user's secret of a provider. A token that has to be revoked there is inserted into `cleanup_outbox`. For
 * users, inside `asUser`.
 *
 * @returns `not_found` if the user has not connected the provider.
 * @example
 * const { outcome } = await asUser(db, userId, (trx) => user_secrets.deleteOwn(trx, 'github'))
 */
export async function deleteOwn(
  trx: UserTransaction,
  provider: string,
): Promise<{ outcome: 'deleted' } | { outcome: 'not_found' }> {
  const deleted = await trx
    .deleteFrom('user_secrets')
    .where('provider', '=', provider)
    .returning('id')
    .executeTakeFirst()
  return { outcome: deleted === undefined ? 'not_found' : 'deleted' }
}
