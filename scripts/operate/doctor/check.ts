import type { MigrationStatus } from '../../migrate/migrator.ts'
import type { VerifyFinding } from '../../schema/verify/finding.ts'

export type Status = 'ok' | 'note' | 'warn' | 'bad'

/** One point in which the database is not as it should be. */
export interface Finding {
  /** For machines: the class of the finding. */
  readonly code: string
  readonly severity: Exclude<Status, 'ok'>
  /** For machines: the object, session or role. */
  readonly subject: string
  /** For people: one line, never with data of customers in it. */
  readonly what: string
  /** The exact SQL, ending in `;`, or a make command, or else an instruction. */
  readonly remedy: string
}

/** The findings of a check, and a figure that informs even when there are none. */
export interface Examination {
  readonly findings: readonly Finding[]
  readonly figure?: string
}

export interface Check {
  readonly name: string
  readonly looksAt: string
  readonly examine: (context: CheckContext) => Promise<Examination>
}

/** What all checks share. Each asks as little as it can of a database that others work in. */
export interface CheckContext {
  /** Runs a query in a read-only transaction of its own, with short timeouts and an empty `search_path`. */
  readonly query: <T extends object>(sql: string, values?: readonly unknown[]) => Promise<T[]>
  /** The tables that db/schema.sql creates, qualified. */
  readonly tables: readonly string[]
  /** How the schema differs from that of the migrations, compared once. Fails where there is no embedded PostgreSQL. */
  readonly schema: () => Promise<readonly VerifyFinding[]>
  readonly migrations: () => Promise<readonly MigrationStatus[]>
  readonly roles: ServiceRoles
  readonly limits: Limits
}

export interface ServiceRoles {
  readonly api: string
  readonly worker: string
}

/** The values from which on something is reported: [warn, bad], times in seconds, sizes in bytes. */
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
  /** At most, of tables that grow without limit. */
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

/** The severity of a value, `undefined` below both limits. */
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

/** Whether pending migrations may create what is missing, or remove what is extra. */
export const isPending = async ({ migrations }: CheckContext): Promise<boolean> =>
  (await migrations()).some(({ state }) => state === 'pending')

/** The remedy in place of SQL that would anticipate a migration. */
export const migrateFirst = 'make migrate, then run it again'
