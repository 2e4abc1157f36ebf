import type { MigrationStatus } from '../../migrate/migrator.ts'
import type { VerifyFinding } from '../../schema/verify/finding.ts'

export type Status = 'ok' | 'note' | 'warn' | 'bad'

/** One deviation of the database from the expected state. */
export interface Finding {
  /** The class of the finding, for programs. */
  readonly code: string
  readonly severity: Exclude<Status, 'ok'>
  /** The object, session or role, for programs. */
  readonly subject: string
  /** A description in one line, without customer data. */
  readonly what: string
  /** Exact SQL ending in `;`, a make command, or an instruction. */
  readonly remedy: string
}

/** The findings of a check, and a figure that is shown even without findings. */
export interface Examination {
  readonly findings: readonly Finding[]
  readonly figure?: string
}

export interface Check {
  readonly name: string
  readonly looksAt: string
  readonly examine: (context: CheckContext) => Promise<Examination>
}

/** The context of all checks. Each check limits its load on the database, which is in use. */
export interface CheckContext {
  /** Runs a query in a separate read-only transaction, with short timeouts and an empty `search_path`. */
  readonly query: <T extends object>(sql: string, values?: readonly unknown[]) => Promise<T[]>
  /** The tables that db/schema.sql creates, qualified. */
  readonly tables: readonly string[]
  /** The differences from the schema of the migrations, compared once. Fails without an embedded PostgreSQL. */
  readonly schema: () => Promise<readonly VerifyFinding[]>
  readonly migrations: () => Promise<readonly MigrationStatus[]>
  readonly roles: ServiceRoles
  readonly limits: Limits
}

export interface ServiceRoles {
  readonly api: string
  readonly worker: string
}

/** The values at which a finding is reported: [warn, bad]. Times are in seconds, sizes in bytes. */
export interface Limits {
  readonly connectionShare: Pair
  readonly transaction: Pair
  readonly idleInTransaction: Pair
  readonly lockWait: Pair
  readonly preparedTransaction: Pair
  readonly retainedWal: Pair
  readonly heldBackXids: Pair
  readonly xidAge: Pair
  readonly deadShare: Pair
  /** Below this number the share of dead tuples is not judged. */
  readonly deadTuples: number
  readonly unusedShare: Pair
  readonly unusedBytes: number
  readonly sequenceShare: Pair
  readonly queueAge: Pair
  readonly leaseOverdue: Pair
  /** The maximum number of rows to read from tables that grow without limit. */
  readonly rowsRead: number
}

type Pair = readonly [warn: number, bad: number]

const minute = 60
const hour = 60 * minute
const MiB = 1024 ** 2
const million = 1e6

export const limits: Limits = {
  connectionShare: [0.7, 0.9],
  transaction: [5 * minute, hour],
  idleInTransaction: [minute, 10 * minute],
  lockWait: [2, minute],
  preparedTransaction: [5 * minute, hour],
  retainedWal: [1024 * MiB, 8192 * MiB],
  heldBackXids: [10 * million, 100 * million],
  xidAge: [500 * million, 1000 * million],
  deadShare: [0.2, 0.5],
  deadTuples: 10_000,
  unusedShare: [0.5, 0.8],
  unusedBytes: 64 * MiB,
  sequenceShare: [0.5, 0.8],
  queueAge: [5 * minute, hour],
  leaseOverdue: [0, 10 * minute],
  rowsRead: 20_000,
}

/** The severity of a value; `undefined` below both limits. */
export function severity(value: number, [warn, bad]: Pair): 'warn' | 'bad' | undefined {
  if (value >= bad) return 'bad'
  return value >= warn ? 'warn' : undefined
}

/** A finding for each row whose value reaches a limit. */
export function over<T>(
  rows: readonly T[],
  value: (row: T) => number,
  limit: Pair,
  finding: (row: T) => Omit<Finding, 'severity'>,
): Finding[] {
  return rows.flatMap((row) => {
    const severe = severity(value(row), limit)
    return severe ? [{ severity: severe, ...finding(row) }] : []
  })
}

/** Whether migrations are pending, which may create missing objects or remove extra ones. */
export const isPending = async ({ migrations }: CheckContext): Promise<boolean> =>
  (await migrations()).some(({ state }) => state === 'pending')

/** The remedy for a difference that a pending migration may resolve. */
export const migrateFirst = 'make migrate, then run it again'
