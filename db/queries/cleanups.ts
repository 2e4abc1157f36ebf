/**
 * What deleted apps and users leave elsewhere: repositories, Fly apps, places in Supabase projects, tokens to revoke.
 * For services. A clean-up is done at least once, so what is gone already counts as done.
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

/** A clean-up that this worker has taken, until `claimed_until`. */
export type Cleanup = Pick<Row<'cleanup_outbox'>, (typeof columns)[number]>

/** A clean-up as its holder names it; what `claim` returns is one. */
export type CleanupLease = Pick<Cleanup, 'id' | 'attempt'>

/** The attempt is not this worker's any more, or it was finished before; nothing was written. */
export interface CleanupLost {
  readonly outcome: 'lease_lost'
}

/** Who claims, how many, and for how long. */
export interface CleanupClaim {
  /** The worker's name, for people: printable ASCII without spaces, up to 200 characters. */
  readonly worker: string
  /** How many at most; 1 to 100, 1 unless given. */
  readonly limit?: number
  /** How long they are this worker's, in milliseconds; a second to a day, 10 minutes unless given. */
  readonly leaseMs?: number
}

const lost: CleanupLost = { outcome: 'lease_lost' }

/**
 * Takes what is due, the oldest first; nobody else gets it before the lease ends. For services, in a transaction of its
 * own, not in that of the clean-up.
 *
 * @returns none where nothing is due. What the kinds have in `context`, and that `sealed_token` is there for tokens
 *   only, says the table.
 * @throws {RuleError} `claim_out_of_range`: the limit or the lease.
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
 * Says that a clean-up is done: its token and context are forgotten, a place is free again. For services.
 *
 * @returns `lease_lost` where another has taken it since, or it was finished before.
 * @throws {RuleError} `place_not_releasing`: of a place that was freed by `supabase_projects.release` at this moment.
 * @example
 * const [cleanup] = await cleanups.claim(serviceDb, { worker: 'deployer-1' })
 * if (cleanup) console.log((await cleanups.finish(serviceDb, cleanup)).outcome)
 */
export async function finish(
  db: ServiceDatabase,
  { id, attempt }: CleanupLease,
): Promise<{ outcome: 'finished' } | CleanupLost> {
  const { rows } = await sql<{ is_held: boolean }>`select private.finish_cleanup(${id}, ${attempt}) as is_held`.execute(
    db,
  )
  return rows[0]?.is_held ? { outcome: 'finished' } : lost
}

/**
 * Says that a clean-up failed: it comes back after 30 seconds, then twice as long each time, up to a day. For services.
 *
 * @param error why, in brief and without secrets; cut at 500 characters.
 * @returns `lease_lost` where another has taken it since, or it was finished before.
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
  const { rows } = await sql<{
    is_held: boolean
  }>`select private.fail_cleanup(${id}, ${attempt}, ${error}) as is_held`.execute(db)
  return rows[0]?.is_held ? { outcome: 'failed' } : lost
}
