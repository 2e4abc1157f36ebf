/**
 * The queue of generations, for workers: with a login of `leo_worker`, or inside `asService`. Each function is one
 * statement and one round trip. It calls a function of the database, whose plans are cached even where a pooler does not
 * permit named statements.
 *
 * A worker holds a generation from its claim until it completes, fails or releases it, as long as it calls `heartbeat`
 * before the lease expires. A generation has one live lease at most, and only its holder can write. `lease_lost` means
 * that the user paused, cancelled or deleted the generation, or that another worker took over: stop and write nothing.
 */
import { CompiledQuery } from 'kysely'
import type { AppId, GenerationId, GenerationMode, GenerationType, JsonObject, SnapshotId, SnapshotType, UserId } from '../../types/index.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { encodeFiles } from './files.ts'
import type { Files } from './files.ts'

/** Identifies an attempt of a generation; a result of `claim` is one. */
export interface Lease {
  readonly id: GenerationId
  readonly attempt: number
}

/** A claimed generation. */
export interface ClaimedGeneration extends Lease {
  readonly lease_expires_at: Date
  readonly user_id: UserId
  readonly app_id: AppId
  readonly app_name: string
  readonly prompt: string
  readonly initial_prompt: string | null
  readonly generation_type: GenerationType
  readonly mode: GenerationMode
  readonly max_iterations: number
  /** The last iteration of an earlier attempt; 0 if there is none. */
  readonly current_iteration: number
  readonly last_session_id: string | null
  readonly github_url: string | null
  /** The number of attempts that failed since the user enqueued or retried it. */
  readonly failure_count: number
}

/** The worker no longer holds the lease; the call changed nothing. */
export interface LeaseLost {
  readonly outcome: 'lease_lost'
}

/** Options of a claim. */
export interface ClaimOptions {
  /** The name of the worker, for operators: printable ASCII without spaces. */
  readonly worker: string
  /** The maximum number of generations: 1 to 100; 1 if absent. */
  readonly limit?: number
  /** The duration of the lease in milliseconds: a second to a day; a minute if absent. A heartbeat renews it. */
  readonly leaseMs?: number
  /** The maximum number of running generations of one user; no limit if absent. */
  readonly userLimit?: number
}

/** The result of a generation; a column that is absent or null keeps its value. */
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
 * Claims generations that are due: the highest priority first, then in the order of the queue, which is fair between
 * users. For workers.
 *
 * @returns the claimed generations; empty if none is due, or while claims are paused.
 * @throws {RuleError} `claim_out_of_range`: the limit or the lease is out of range; `wrong_isolation_level`: a `userLimit`
 *   in another isolation level than READ COMMITTED.
 * @throws {ConstraintError} `worker_not_printable`: the name of the worker is empty, or contains a space.
 * @example
 * for (const generation of await queue.claim(serviceDb, { worker: 'worker-1', limit: 10, userLimit: 2 })) {
 *   console.log(generation.prompt)
 *   await queue.release(serviceDb, generation)
 * }
 */
export async function claim(db: ServiceDatabase, options: ClaimOptions): Promise<ClaimedGeneration[]> {
  return run<ClaimedGeneration>(db, claimText, [options.worker, ...claimParameters(options)])
}

/**
 * Claims one generation, as `claim` does. For workers.
 *
 * @returns `undefined` if none is due, or while claims are paused.
 * @throws {RuleError} as `claim`.
 * @throws {ConstraintError} as `claim`.
 * @example
 * const generation = await queue.claimOne(serviceDb, { worker: 'worker-1' })
 */
export async function claimOne(db: ServiceDatabase, options: Omit<ClaimOptions, 'limit'>): Promise<ClaimedGeneration | undefined> {
  return (await claim(db, { ...options, limit: 1 }))[0]
}

/**
 * Renews the lease: it expires `leaseMs` milliseconds from now, a minute if absent. For workers. `held` is a snapshot: the
 * lease can be lost right after, and the next write reports it.
 *
 * @throws {RuleError} `claim_out_of_range`: the lease is not a second to a day.
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

/** The result of an iteration. */
export interface Iteration {
  /** From 1 to the generation's `max_iterations`. */
  readonly iteration_number: number
  /** All files of the app: path to content. */
  readonly files: Files
  /** `automatic` if absent. */
  readonly snapshot_type?: SnapshotType
  readonly prompt_used?: string
  /** A JSON object, for example with tokens, duration and changed files. */
  readonly metadata?: JsonObject
  /** The session that a later attempt continues; the previous value is kept if absent. */
  readonly last_session_id?: string
}

/**
 * Saves the result of an iteration in one statement: the snapshot and the progress of the generation. For workers. It is
 * not idempotent: a worker that repeats the call after a lost connection may save two snapshots of the iteration.
 *
 * @throws {ConstraintError} `iteration_out_of_range`: the iteration is greater than `max_iterations`.
 * @example
 * const recorded = await queue.recordIteration(serviceDb, lease, { iteration_number: 1, files: { 'index.html': '<h1>Books</h1>' } })
 * if (recorded.outcome === 'lease_lost') return
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
 * Completes the generation and ends the lease. For workers. A second call returns `lease_lost`.
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

/** A completion in a batch: the lease and the result of the generation. */
export type Completion = Lease & Result

/**
 * Completes generations and claims others in one transaction and one round trip, the cheapest way to work on the queue.
 * For workers. A lost lease does not affect the other completions. While claims are paused, it only completes.
 *
 * @param done the generations to complete, with their results; may be empty.
 * @returns `completed`: the outcome of each of `done`, in the same order; `claimed`: as `claim` returns it.
 * @throws {ConstraintError} as `complete` and `claim`; the call then has no effect.
 * @throws {RuleError} as `claim`; the call then has no effect.
 * @example
 * const github_url = 'https://github.com/ada/books'
 * const { completed, claimed } = await queue.completeAndClaim(serviceDb, [{ ...lease, github_url }], { worker: 'worker-1' })
 */
export async function completeAndClaim(
  db: ServiceDatabase,
  done: readonly Completion[],
  options: ClaimOptions,
): Promise<{ completed: (Lease & ({ outcome: 'completed' } | LeaseLost))[]; claimed: ClaimedGeneration[] }> {
  const rows = await run<{ completed_id: GenerationId | null } & ClaimedGeneration>(db, completeAndClaimText, [
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

/** The error of an attempt, and when to try again. */
export interface FailOptions {
  /** The message for the user; the timeline keeps its first 2000 characters. */
  readonly error_message: string
  /** The number of consecutive failures after which the generation fails; 3 if absent. Pass 1 if a retry cannot succeed. */
  readonly maxFailures?: number
  /** The delay after the first failure in milliseconds, 30 seconds if absent; it doubles with each failure, up to an hour. */
  readonly backoffMs?: number
}

/**
 * Records that the attempt failed, and ends the lease. The generation is queued again after a delay, or fails. For
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
 * Returns the generation to the queue, at its previous position and without counting a failure. For workers that shut
 * down.
 *
 * @example
 * await queue.release(serviceDb, lease)
 */
export async function release(db: ServiceDatabase, lease: Lease): Promise<{ outcome: 'released' } | LeaseLost> {
  const { is_held } = await runForOne<{ is_held: boolean }>(db, releaseText, [lease.id, lease.attempt])
  return is_held ? { outcome: 'released' } : lost
}

/**
 * Ends attempts whose lease has expired; each counts as a failure. For workers: call it about every minute. Concurrent
 * calls do not interfere.
 *
 * @param limit the maximum number of attempts, 100 if absent; if as many are returned, call it again.
 * @returns the ended attempts, each with the new status of its generation; empty if no lease has expired.
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
 * Pauses the claims of all workers, for maintenance. Running generations continue. For services. A claim that is in
 * progress may still return its batch.
 *
 * @param options `by`: the name of the operator; `reason`: for other operators.
 * @example
 * await queue.pauseClaims(serviceDb, { by: 'ada', reason: 'the upgrade of Sunday' })
 * await queue.resumeClaims(serviceDb)
 */
export async function pauseClaims(db: ServiceDatabase, { by, reason }: { by: string; reason?: string }): Promise<void> {
  await run(db, pauseText, [by, reason ?? null])
}

/**
 * Resumes claims. For services.
 *
 * @example
 * await queue.resumeClaims(serviceDb)
 */
export async function resumeClaims(db: ServiceDatabase): Promise<void> {
  await run(db, resumeText)
}

/**
 * Reads whether claims are paused. For services.
 *
 * @returns when, by whom and why they were paused; all null if they are not paused.
 * @example
 * const { paused_by } = await queue.state(serviceDb)
 */
export async function state(
  db: ServiceDatabase,
): Promise<{ paused_at: Date; paused_by: string; reason: string | null } | { paused_at: null; paused_by: null; reason: null }> {
  return runForOne(db, stateText)
}
