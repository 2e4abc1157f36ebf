/**
 * External resources of deleted apps and users: repositories, Fly apps, allocations in Supabase projects, tokens to
 * revoke. For services. A clean-up may run more than once, so treat a resource that no longer exists as cleaned up.
 */
import { sql } from 'kysely'
import type { Row } from '../../types/index.ts'
import type { ServiceDatabase } from '../client/session.ts'

const columns = [
  'id',
  'kind',
  'target',
  'sealed_token',
  'context',
  'attempt',
  'claimed_until',
  'created_at',
  'last_error',
] as const

/** A clean-up that a worker holds until `claimed_until`. */
export type Cleanup = Pick<Row<'cleanup_outbox'>, (typeof columns)[number]>

/** Identifies the claim of a clean-up; a result of `claim` is one. */
export type CleanupLease = Pick<Cleanup, 'id' | 'attempt'>

/** Another worker has claimed the clean-up since, or it is finished; the call changed nothing. */
export interface CleanupLost {
  readonly outcome: 'lease_lost'
}

/** Options of `claim`. */
export interface CleanupClaim {
  /** The name of the worker, for operators: printable ASCII without spaces, up to 200 characters. */
  readonly worker: string
  /** The maximum number of clean-ups: 1 to 100; 1 if absent. */
  readonly limit?: number
  /** The duration of the claim in milliseconds: a second to a day; 10 minutes if absent. */
  readonly leaseMs?: number
}

const lost: CleanupLost = { outcome: 'lease_lost' }

/**
 * Claims clean-ups that are due, the oldest first. No other worker can claim them before the lease expires. For services.
 * Commit the claim before the work begins.
 *
 * @returns the claimed clean-ups; empty if none is due. `sealed_token` is null except for tokens; the comment of the table
 *   lists the members of `context` by kind.
 * @throws {RuleError} `claim_out_of_range`: the limit or the lease is out of range.
 * @throws {ConstraintError} `worker_not_printable`.
 * @example
 * for (const cleanup of await cleanups.claim(serviceDb, { worker: 'deployer-1', limit: 10 })) {
 *   console.log(cleanup.kind, cleanup.target)
 *   await cleanups.finish(serviceDb, cleanup)
 * }
 */
export async function claim(
  db: ServiceDatabase,
  { worker, limit = 1, leaseMs = 600_000 }: CleanupClaim,
): Promise<Cleanup[]> {
  const { rows } = await sql<Cleanup>`
    select ${sql.join(columns.map((column) => sql.ref(column)))}
    from private.claim_cleanups(${worker}, ${limit}, ${leaseMs}::float8 * interval '1 millisecond')
    order by id
  `.execute(db)
  return rows
}

/**
 * Marks a clean-up as finished: deletes its token and context, and frees the allocation of a Supabase project. For
 * services.
 *
 * @returns `lease_lost` if another worker has claimed it since, or it was finished before.
 * @throws {RuleError} `place_not_releasing`: `supabase_projects.release` freed the allocation at the same time.
 * @example
 * const [cleanup] = await cleanups.claim(serviceDb, { worker: 'deployer-1' })
 * if (cleanup) console.log((await cleanups.finish(serviceDb, cleanup)).outcome)
 */
export async function finish(
  db: ServiceDatabase,
  { id, attempt }: CleanupLease,
): Promise<{ outcome: 'finished' } | CleanupLost> {
  const { rows } = await sql<{ is_held: boolean }>`
    select private.finish_cleanup(${id}, ${attempt}) as is_held`.execute(db)
  return rows[0]?.is_held ? { outcome: 'finished' } : lost
}

/**
 * Records that a clean-up failed. It is due again after 30 seconds; the delay doubles with each failure, up to a day. For
 * services.
 *
 * @param error the reason, without secrets; truncated to 500 characters.
 * @returns `lease_lost` if another worker has claimed it since, or it was finished before.
 * @example
 * for (const cleanup of await cleanups.claim(serviceDb, { worker: 'deployer-1' })) {
 *   await cleanups.fail(serviceDb, cleanup, 'GitHub answers 502')
 * }
 */
export async function fail(
  db: ServiceDatabase,
  { id, attempt }: CleanupLease,
  error: string,
): Promise<{ outcome: 'failed' } | CleanupLost> {
  const { rows } = await sql<{ is_held: boolean }>`
    select private.fail_cleanup(${id}, ${attempt}, ${error}) as is_held`.execute(db)
  return rows[0]?.is_held ? { outcome: 'failed' } : lost
}
