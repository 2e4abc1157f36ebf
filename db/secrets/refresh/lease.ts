import { CompiledQuery } from 'kysely'
import type { SealedSecret } from '../../../types/index.ts'
import type { ServiceDatabase } from '../../client/session.ts'
import type { UnsavedRefresh } from '../errors.ts'
import type { SecretName } from '../secret-name.ts'

/** Identifies a token: the digest of its ciphertext, which a re-wrap does not change. */
const digest = (row: string): string => `sha256(convert_to(split_part(${row}.encrypted_token, '.', 5), 'UTF8'))`

/** Whether the provider rejected the refresh of this token; null or false if not. A subquery per row. */
export const isRejected = (row: string): string => `
  select r.rejected_digest = ${digest(row)}
  from private.secret_refreshes as r
  where r.user_id = ${row}.user_id and r.provider = ${row}.provider`

/** A stored set of tokens and the state of its refresh. `is_fresh` is computed with the clock of the database. */
export interface StoredToken {
  readonly sealed: SealedSecret
  readonly digest: string
  readonly is_fresh: boolean
  readonly is_rejected: boolean
  /** Another call is refreshing it. */
  readonly is_leased: boolean
}

const readText = `
  select
    s.encrypted_token as sealed,
    encode(${digest('s')}, 'hex') as digest,
    coalesce(s.expires_at > now() + $3::float8 * interval '1 millisecond', true) as is_fresh,
    coalesce((${isRejected('s')}), false) as is_rejected,
    coalesce(l.expires_at > now(), false) as is_leased
  from user_secrets as s
  left join private.secret_refreshes as l on l.user_id = s.user_id and l.provider = s.provider
  where s.user_id = $1 and s.provider = $2`

export async function readToken(
  db: ServiceDatabase,
  { user_id, provider }: SecretName,
  earlyMs: number,
): Promise<StoredToken | undefined> {
  const { rows } = await db.executeQuery<StoredToken>(CompiledQuery.raw(readText, [user_id, provider, earlyMs]))
  return rows[0]
}

// Locks the secret, because its concurrent deletion would violate the foreign key.
const takeText = `
  with connection as (select user_id, provider from user_secrets where user_id = $1 and provider = $2 for key share)
  insert into private.secret_refreshes as l (user_id, provider, holder, expires_at)
  select c.user_id, c.provider, $3::uuid, now() + $4::float8 * interval '1 millisecond' from connection as c
  on conflict (user_id, provider) do update set holder = excluded.holder, expires_at = excluded.expires_at
    where l.holder is null or l.expires_at <= now()
  returning l.holder`

/** Returns false if another call holds the lease, or the secret was deleted. The token may have changed: read it again. */
export async function takeLease(
  db: ServiceDatabase,
  { user_id, provider }: SecretName,
  lease: string,
  leaseMs: number,
): Promise<boolean> {
  const { rows } = await db.executeQuery(CompiledQuery.raw(takeText, [user_id, provider, lease, leaseMs]))
  return rows.length > 0
}

const renewText = `
  update private.secret_refreshes set expires_at = now() + $4::float8 * interval '1 millisecond'
  where user_id = $1 and provider = $2 and holder = $3::uuid
  returning holder`

/** Returns false if another call holds the lease or has held it since; the token may have changed. */
export async function renewLease(
  db: ServiceDatabase,
  { user_id, provider }: SecretName,
  lease: string,
  leaseMs: number,
): Promise<boolean> {
  const { rows } = await db.executeQuery(CompiledQuery.raw(renewText, [user_id, provider, lease, leaseMs]))
  return rows.length > 0
}

const releaseText = `
  update private.secret_refreshes
  set holder = null, expires_at = null, rejected_digest = coalesce(decode($4, 'hex'), rejected_digest)
  where user_id = $1 and provider = $2 and holder = $3::uuid`

/** Releases the lease unless another call holds it. A digest records that the provider rejected this token. */
export async function releaseLease(
  db: ServiceDatabase,
  { user_id, provider }: SecretName,
  lease: string,
  rejected: string | null = null,
): Promise<void> {
  await db.executeQuery(CompiledQuery.raw(releaseText, [user_id, provider, lease, rejected]))
}

const saveText = `
  with saved as (
    update user_secrets as s set encrypted_token = $3, expires_at = $4
    where s.user_id = $1 and s.provider = $2 and ${digest('s')} = decode($5, 'hex')
    returning s.id
  ), released as (
    update private.secret_refreshes set holder = null, expires_at = null, rejected_digest = null
    where user_id = $1 and provider = $2 and holder = $6::uuid
  )
  select id from saved`

/**
 * Stores the tokens of a `RefreshNotSavedError` later, or from another process. For services. It is idempotent.
 *
 * @returns `saved`; `superseded` if a newer token is stored, which is kept; `not_found` if the user deleted the secret:
 *   open the unsaved one and revoke it at the provider.
 * @example
 * if (error instanceof RefreshNotSavedError) await user_secrets.saveRefresh(serviceDb, error.unsaved)
 */
export async function saveRefresh(
  db: ServiceDatabase,
  { user_id, provider, sealed, expires_at, replaces, lease }: UnsavedRefresh,
): Promise<{ outcome: 'saved' } | { outcome: 'superseded' } | { outcome: 'not_found' }> {
  const query = CompiledQuery.raw(saveText, [user_id, provider, sealed, expires_at, replaces, lease])
  if ((await db.executeQuery(query)).rows.length > 0) return { outcome: 'saved' }
  const stored = await readToken(db, { user_id, provider }, 0)
  if (stored === undefined) return { outcome: 'not_found' }
  // An earlier call may have saved it and lost its connection; a re-wrap since then keeps the ciphertext.
  return { outcome: ciphertextOf(stored.sealed) === ciphertextOf(sealed) ? 'saved' : 'superseded' }
}

const ciphertextOf = (sealed: SealedSecret): string | undefined => sealed.split('.')[4]
