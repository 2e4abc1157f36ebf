/**
 * The queue as workers see it: with a login of `leo_worker`, or inside `asService`. Each function is one statement and one
 * trip, through functions of the database, whose plans are kept where statements cannot be named.
 *
 * A worker holds a generation from its claim until it completes, fails or releases it, as long as it calls `heartbeat`
 * before the lease expires. The promise is: at most one lease in force, and only its holder writes. `lease_lost` means
 * that the user has paused, cancelled or deleted the generation, or that another has taken over: stop, write nothing.
 */
import { CompiledQuery } from 'kysely'
import type { AppId, GenerationId, GenerationMode, GenerationType, JsonObject, SnapshotId, SnapshotType, UserId } from '../../types/index.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { encodeFiles } from './files.ts'
import type { Files } from './files.ts'

/** A generation as its holder names it; what `claim` returns is one. */
export interface Lease {
  readonly id: GenerationId
  readonly attempt: number
}

/** What a worker has to know of a generation that it has taken. */
export interface Claimed extends Lease {
  readonly lease_expires_at: Date
  readonly user_id: UserId
  readonly app_id: AppId
  readonly app_name: string
  readonly prompt: string
  readonly initial_prompt: string | null
  readonly generation_type: GenerationType
  readonly mode: GenerationMode
  readonly max_iterations: number
  /** Above 0 where an earlier attempt has got so far. */
  readonly current_iteration: number
  readonly last_session_id: string | null
  readonly github_url: string | null
  /** How many attempts have failed since somebody queued it last. */
  readonly failure_count: number
}

/** The attempt is not this worker's any more; nothing was written. */
export interface LeaseLost {
  readonly outcome: 'lease_lost'
}

/** Who claims, how many, and for how long. */
export interface ClaimOptions {
  /** The worker's name, for people: printable ASCII without spaces. */
  readonly worker: string
  /** How many at most; 1 to 100, 1 unless given. */
  readonly limit?: number
  /** How long the lease lasts without a heartbeat, in milliseconds; a second to a day, a minute unless given. */
  readonly leaseMs?: number
  /** How many of one user's may run at a time; no limit unless given. */
  readonly userLimit?: number
}

/** Where a generation has ended; what is left out, or null, stays as it is. */
export interface Result {
  readonly github_commit?: string | null
  readonly github_url?: string | null
  readonly deployment_url?: string | null
}

const columns = `id, attempt, lease_expires_at, user_id, app_id, app_name, prompt, initial_prompt, generation_type, mode,
  max_iterations, current_iteration, last_session_id, github_url, failure_count`
const ms = (parameter: string): string => `${parameter}::float8 * interval '1 millisecond'`

const claimText = `select ${columns} from private.claim_generations($1, $2, ${ms('$3')}, $4)`
const completeText = 'select private.complete_generation($1, $2, $3, $4, $5) as is_held'
const completeAndClaimText = `select completed_id, ${columns.replaceAll(/\w+/g, '(claimed).$&')}
  from private.complete_and_claim_generations($1, $2, $3, $4, $5, $6, $7, ${ms('$8')}, $9)`
const heartbeatText = `select private.prolong_generation_lease($1, $2, ${ms('$3')}) as expires_at`
const recordText = 'select private.record_iteration($1, $2, $3, $4, $5, $6, $7, $8) as snapshot_id'
const failText = `select private.fail_generation($1, $2, $3, $4, ${ms('$5')}) as status`
const releaseText = 'select private.release_generation($1, $2) as is_held'
const requeueText = `select id, attempt, status from private.requeue_expired_generations($1, $2, ${ms('$3')})`
const pauseText = 'select private.pause_generation_claims($1, $2)'
const resumeText = 'select private.resume_generation_claims()'
const stateText = `select paused_at, paused_by, reason from private.queues where name = 'generations'`

const lost: LeaseLost = { outcome: 'lease_lost' }

async function run<R>(db: ServiceDatabase, text: string, parameters: readonly unknown[] = []): Promise<R[]> {
  return (await db.executeQuery<R>(CompiledQuery.raw(text, [...parameters]))).rows
}

async function runForOne<R>(db: ServiceDatabase, text: string, parameters: readonly unknown[] = []): Promise<R> {
  const [row] = await run<R>(db, text, parameters)
  return row!
}

const claimParameters = ({ limit = 1, leaseMs = 60_000, userLimit }: ClaimOptions): unknown[] => [
  limit,
  leaseMs,
  userLimit ?? null,
]

/**
 * Takes what is due: the highest priority first, then by place in the queue, which is fair between users. For workers.
 *
 * @returns none where nothing is due, or while claims are paused.
 * @throws {RuleError} `claim_out_of_range`: a limit or a lease out of range; `wrong_isolation_level`: a `userLimit` outside
 *   of READ COMMITTED.
 * @throws {ConstraintError} `worker_not_printable`: the worker's name is empty, or has a space.
 * @example
 * for (const generation of await queue.claim(serviceDb, { worker: 'worker-1', limit: 10, userLimit: 2 })) {
 *   console.log(generation.prompt)
 *   await queue.release(serviceDb, generation)
 * }
 */
export async function claim(db: ServiceDatabase, options: ClaimOptions): Promise<Claimed[]> {
  return run<Claimed>(db, claimText, [options.worker, ...claimParameters(options)])
}

/**
 * `claim` for one. For workers.
 *
 * @returns `undefined` where nothing is due, or while claims are paused.
 * @throws {RuleError} as `claim`.
 * @throws {ConstraintError} as `claim`.
 * @example
 * const generation = await queue.claimOne(serviceDb, { worker: 'worker-1' })
 */
export async function claimOne(db: ServiceDatabase, options: Omit<ClaimOptions, 'limit'>): Promise<Claimed | undefined> {
  return (await claim(db, { ...options, limit: 1 }))[0]
}

/**
 * Says that the worker is alive: the lease lasts `leaseMs` milliseconds from now, a minute unless given. For workers.
 * `held` is news, not a promise: the generation may be lost a moment later, and the next write says so.
 *
 * @throws {RuleError} `claim_out_of_range`: a lease that is not a second to a day.
 * @example
 * const { outcome } = await queue.heartbeat(serviceDb, lease, { leaseMs: 120_000 })
 */
export async function heartbeat(
  db: ServiceDatabase,
  lease: Lease,
  { leaseMs = 60_000 }: { readonly leaseMs?: number } = {},
): Promise<{ outcome: 'held'; expires_at: Date } | LeaseLost> {
  const { expires_at } = await runForOne<{ expires_at: Date | null }>(db, heartbeatText, [lease.id, lease.attempt, leaseMs])
  return expires_at === null ? lost : { outcome: 'held', expires_at }
}

/** What an iteration has made. */
export interface Iteration {
  /** From 1; never above the generation's `max_iterations`. */
  readonly iteration_number: number
  /** All files as they stand now. */
  readonly files: Files
  /** `automatic` unless given. */
  readonly snapshot_type?: SnapshotType
  readonly prompt_used?: string
  /** Tokens, duration, changed files: a JSON object. */
  readonly metadata?: JsonObject
  /** Where a later attempt goes on; kept until another is given. */
  readonly last_session_id?: string
}

/**
 * Keeps what an iteration has made, in one statement: the snapshot, and how far the generation has got. For workers.
 * A worker that does not learn whether it was kept, and says it again, leaves two snapshots of the iteration.
 *
 * @throws {ConstraintError} `iteration_out_of_range`: it is above `max_iterations`.
 * @example
 * const kept = await queue.recordIteration(serviceDb, lease, { iteration_number: 1, files: { 'index.html': '<h1>Books</h1>' } })
 * if (kept.outcome === 'lease_lost') return
 */
export async function recordIteration(
  db: ServiceDatabase,
  lease: Lease,
  iteration: Iteration,
): Promise<{ outcome: 'recorded'; snapshot_id: SnapshotId } | LeaseLost> {
  const { iteration_number, files, snapshot_type = 'automatic', prompt_used, metadata, last_session_id } = iteration
  const { snapshot_id } = await runForOne<{ snapshot_id: SnapshotId | null }>(db, recordText, [
    ...[lease.id, lease.attempt, iteration_number, snapshot_type, encodeFiles(files)],
    ...[prompt_used ?? null, metadata === undefined ? null : JSON.stringify(metadata), last_session_id ?? null],
  ])
  return snapshot_id === null ? lost : { outcome: 'recorded', snapshot_id }
}

/**
 * Says that the generation is completed, and ends the lease. For workers.
 * Saying it twice is answered with `lease_lost`.
 *
 * @throws {ConstraintError} `github_commit_not_sha`, `github_url_not_https`, `deployment_url_not_https`.
 * @example
 * const { outcome } = await queue.complete(serviceDb, lease, { github_url: 'https://github.com/ada/books' })
 */
export async function complete(
  db: ServiceDatabase,
  lease: Lease,
  { github_commit, github_url, deployment_url }: Result = {},
): Promise<{ outcome: 'completed' } | LeaseLost> {
  const parameters = [lease.id, lease.attempt, github_commit ?? null, github_url ?? null, deployment_url ?? null]
  const { is_held } = await runForOne<{ is_held: boolean }>(db, completeText, parameters)
  return is_held ? { outcome: 'completed' } : lost
}

/** A completion in a batch: the lease, and where the generation has ended. */
export type Completion = Lease & Result

/**
 * Completes what is done and takes what is next, in one transaction and one trip: the cheapest step of a worker. For
 * workers. Each completion is judged by itself. While claims are paused, or nothing is due, it only completes.
 *
 * @returns for each of `done`, in their order, what became of it; and what was taken, as `claim` does.
 * @throws {ConstraintError} as `complete` and `claim`; then nothing is done at all.
 * @throws {RuleError} as `claim`; then nothing is done at all.
 * @example
 * const github_url = 'https://github.com/ada/books'
 * const { completed, claimed } = await queue.completeAndClaim(serviceDb, [{ ...lease, github_url }], { worker: 'worker-1' })
 */
export async function completeAndClaim(
  db: ServiceDatabase,
  done: readonly Completion[],
  options: ClaimOptions,
): Promise<{ completed: (Lease & ({ outcome: 'completed' } | LeaseLost))[]; claimed: Claimed[] }> {
  const rows = await run<{ completed_id: GenerationId | null } & Claimed>(db, completeAndClaimText, [
    ...[options.worker, done.map(({ id }) => id), done.map(({ attempt }) => attempt)],
    ...(['github_commit', 'github_url', 'deployment_url'] as const).map((name) => done.map((one) => one[name] ?? null)),
    ...claimParameters(options),
  ])
  const completed = new Set(rows.map(({ completed_id }) => completed_id))
  return {
    completed: done.map(({ id, attempt }) => ({ id, attempt, ...(completed.has(id) ? { outcome: 'completed' } : lost) })),
    claimed: rows.flatMap(({ completed_id, ...claimed }) => (completed_id === null ? [claimed] : [])),
  }
}

/** What went wrong, and when to try again. */
export interface FailOptions {
  /** What went wrong, for the user; the timeline has its first 2000 characters. */
  readonly error_message: string
  /** With that many failures in a row it has failed for good; 3 unless given, 1 where trying again is no use. */
  readonly maxFailures?: number
  /** The pause after the first failure, in milliseconds, 30 seconds unless given; it doubles, to an hour at most. */
  readonly backoffMs?: number
}

/**
 * Says that the attempt has failed, and ends the lease: the generation is tried again after a pause, or has failed. For
 * workers.
 *
 * @example
 * const { outcome } = await queue.fail(serviceDb, lease, { error_message: 'the tests of iteration 2 did not pass' })
 */
export async function fail(
  db: ServiceDatabase,
  lease: Lease,
  { error_message, maxFailures = 3, backoffMs = 30_000 }: FailOptions,
): Promise<{ outcome: 'queued' | 'failed' } | LeaseLost> {
  const parameters = [lease.id, lease.attempt, error_message, maxFailures, backoffMs]
  const { status } = await runForOne<{ status: 'queued' | 'failed' | null }>(db, failText, parameters)
  return status === null ? lost : { outcome: status }
}

/**
 * Gives the generation back unharmed. For workers that shut down: it counts as no failure, and it keeps its place.
 *
 * @example
 * await queue.release(serviceDb, lease)
 */
export async function release(db: ServiceDatabase, lease: Lease): Promise<{ outcome: 'released' } | LeaseLost> {
  const { is_held } = await runForOne<{ is_held: boolean }>(db, releaseText, [lease.id, lease.attempt])
  return is_held ? { outcome: 'released' } : lost
}

/**
 * Ends the attempts whose lease has expired: each counts as a failure. For workers, every minute or so; any number may
 * ask at the same time.
 *
 * @param limit how many at most, 100 unless given; when as many come back, ask again.
 * @returns the attempts that were ended, and what has become of each generation.
 * @example
 * for (const { id, status } of await queue.requeueExpired(serviceDb)) console.log(`generation ${id} is ${status}`)
 */
export async function requeueExpired(
  db: ServiceDatabase,
  { limit = 100, maxFailures = 3, backoffMs = 30_000 }: { limit?: number } & Omit<Partial<FailOptions>, 'error_message'> = {},
): Promise<(Lease & { status: 'queued' | 'failed' })[]> {
  return run(db, requeueText, [limit, maxFailures, backoffMs])
}

/**
 * Stops all claims, of every worker, for maintenance; what runs goes on and may finish. For services.
 * A claim that has begun already may still take its batch.
 *
 * @param by who pauses, and `reason` why, for people.
 * @example
 * await queue.pauseClaims(serviceDb, { by: 'ada', reason: 'the upgrade of Sunday' })
 * await queue.resumeClaims(serviceDb)
 */
export async function pauseClaims(db: ServiceDatabase, { by, reason }: { by: string; reason?: string }): Promise<void> {
  await run(db, pauseText, [by, reason ?? null])
}

/**
 * Lets claims go on. For services.
 *
 * @example
 * await queue.resumeClaims(serviceDb)
 */
export async function resumeClaims(db: ServiceDatabase): Promise<void> {
  await run(db, resumeText)
}

/**
 * Whether claims are paused. For services.
 *
 * @returns all null while they go on.
 * @example
 * const { paused_by } = await queue.state(serviceDb)
 */
export async function state(
  db: ServiceDatabase,
): Promise<{ paused_at: Date; paused_by: string; reason: string | null } | { paused_at: null; paused_by: null; reason: null }> {
  return runForOne(db, stateText)
}
