import type { MigrationStatus } from '../../migrate/migrator.ts'
import type { SchemaText } from '../../schema/dump/schema-text.ts'

export type Status = 'ok' | 'note' | 'warn' | 'bad'

/** One thing that is not as it should be. */
export interface Finding {
  /** For machines: what kind of thing it is. */
  readonly code: string
  readonly severity: Exclude<Status, 'ok'>
  /** For machines: the object, session or role. */
  readonly subject: string
  /** For people: one line, never with data of customers in it. */
  readonly what: string
  /** The exact SQL, ending in `;`, or a make command, or else what to do. */
  readonly remedy: string
}

/** What a check saw: its findings, and a figure that is worth a look even when all is well. */
export interface Examination {
  readonly findings: readonly Finding[]
  readonly figure?: string
}

export interface Check {
  readonly name: string
  readonly looksAt: string
  readonly examine: (patient: Patient) => Promise<Examination>
}

/** What is common to all checks. Asks as little as it can of a database that others work in. */
export interface Patient {
  /** Runs a query in a read only transaction of its own, with short timeouts and an empty `search_path`. */
  readonly query: <T extends object>(sql: string, values?: readonly unknown[]) => Promise<T[]>
  /** What db/schema.sql says. */
  readonly wanted: SchemaText
  /** The same of this database, taken once. */
  readonly found: () => Promise<SchemaText>
  readonly migrations: () => Promise<readonly MigrationStatus[]>
  readonly roles: ServiceRoles
  readonly limits: Limits
}

export interface ServiceRoles {
  readonly api: string
  readonly worker: string
}

/** From when on something is reported: [warn, bad], times in seconds, sizes in bytes. */
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
  /** Below it the share of dead tuples says nothing. */
  readonly deadTuples: number
  readonly unusedShare: Pair
  readonly unusedBytes: number
  readonly sequenceShare: Pair
  readonly queueAge: Pair
  readonly leaseOverdue: Pair
  /** Of tables that grow without end, at most. */
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

/** How bad a value is, `undefined` below both limits. */
export function severity(value: number, [warn, bad]: Pair): 'warn' | 'bad' | undefined {
  if (value >= bad) return 'bad'
  return value >= warn ? 'warn' : undefined
}

/** A finding for each row whose value is over a limit. */
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

/** Whether what is not there, or still there, may be the business of migrations to come. */
export const isPending = async ({ migrations }: Patient): Promise<boolean> =>
  (await migrations()).some(({ state }) => state === 'pending')

/** Said instead of SQL that would run ahead of the migrations. */
export const migrateFirst = 'make migrate, then look again'
