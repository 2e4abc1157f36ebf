import { performance } from 'node:perf_hooks'
import pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import type { Check, CheckContext, Examination, Status } from './check.ts'
import { openContext, type ContextOptions } from './context.ts'
import { queueChecks } from './queue.ts'
import { roleChecks } from './roles.ts'
import { objectChecks, schemaChecks } from './schema.ts'
import { sessionChecks } from './sessions.ts'
import { storageChecks } from './storage.ts'
import { Failure } from '../../core/failure.ts'
import { refusePooler } from '../../core/refuse-pooler.ts'

export interface Report {
  readonly database: string
  readonly server_version: string
  readonly status: Status
  readonly milliseconds: number
  readonly checks: readonly CheckReport[]
}

export interface CheckReport extends Examination {
  readonly group: string
  readonly name: string
  readonly looks_at: string
  readonly status: Status
}

/** All checks, by group. */
const groups = {
  sessions: sessionChecks,
  queue: queueChecks,
  objects: objectChecks,
  storage: storageChecks,
  schema: schemaChecks,
  roles: roleChecks,
} satisfies Readonly<Record<string, readonly Check[]>>

const groupNames = Object.keys(groups) as Array<keyof typeof groups>

export interface DoctorOptions extends ContextOptions {
  /** The groups to run. Default: all. */
  readonly groups?: ReadonlyArray<keyof typeof groups>
}

/**
 * Examines a database that is in use, read only. Each query runs in a separate read-only transaction with short timeouts;
 * no table is read completely, and no session waits for a query. The checks of the group `schema` compare the system
 * catalog with that of the migrations on an embedded PostgreSQL, which takes two to four seconds; a copy of the schema is
 * dumped only if the live server's major version is not installed. A check that fails is reported in one line, and the
 * other checks continue.
 *
 * @throws Failure if the database cannot be reached, or only through a transaction pooler.
 */
export async function examine(target: Target, options: DoctorOptions = {}): Promise<Report> {
  refusePooler(target)
  const started = performance.now()
  const runChecks = async (client: pg.Client): Promise<Report> => {
    const context = await openContext(client, target, options)
    const checks: CheckReport[] = []
    for (const group of options.groups ?? groupNames) {
      for (const check of groups[group]) checks.push({ group, ...(await report(check, context)) })
    }
    const [server] = await context.query<{ version: string }>(`select current_setting('server_version') as version`)
    return {
      database: target.label,
      server_version: server?.version ?? '?',
      status: worst(checks.map((check) => check.status)),
      milliseconds: Math.round(performance.now() - started),
      checks: withoutRepeats(checks),
    }
  }
  return withClient(target, (client) => orFailure(target, () => runChecks(client)))
}

/** Shortens repeated reasons: checks with a common prerequisite fail for the same reason. */
function withoutRepeats(checks: readonly CheckReport[]): CheckReport[] {
  const first = new Map<string, string>()
  return checks.map((check) => {
    const findings = check.findings.map((finding) => {
      if (finding.code !== 'not_examined') return finding
      const name = first.get(finding.what)
      if (name !== undefined) return { ...finding, what: `not examined, for the same reason as ${name}` }
      first.set(finding.what, check.name)
      return finding
    })
    return { ...check, findings }
  })
}

async function report({ name, looksAt, examine }: Check, context: CheckContext): Promise<Omit<CheckReport, 'group'>> {
  const examination = await examine(context).catch(notExamined)
  const status = worst(examination.findings.map(({ severity }) => severity))
  return { name, looks_at: looksAt, status, ...examination }
}

/** Converts a query that the server refused or cancelled to a finding. A lost connection or a defect is thrown. */
function notExamined(error: unknown): Examination {
  const isRefusal = error instanceof Failure || (error instanceof pg.DatabaseError && error.code !== undefined)
  if (!isRefusal) throw error
  const { message } = error
  const [subject, remedy] =
    error instanceof Failure
      ? ['failure', error.remedy]
      : [String(error.code), remedies[String(error.code)] ?? 'correct the cause and run it again']
  return { findings: [{ code: 'not_examined', severity: 'warn', subject, what: `not examined: ${message}`, remedy }] }
}

const remedies: Readonly<Record<string, string>> = {
  '42501': 'log in as the role that owns the schema (`postgres` on Supabase)',
  '55P03': 'a session holds a lock: see blocked sessions, then run it again',
  '57014': 'the query exceeded its time limit: run it again when the server is less busy',
}

const order: readonly Status[] = ['ok', 'note', 'warn', 'bad']

const worst = (all: readonly Status[]): Status => order[Math.max(0, ...all.map((one) => order.indexOf(one)))]!

/** 0 without problems, 1 for warnings, 2 for serious problems. */
export const exitCode = ({ status }: Report): number => ({ ok: 0, note: 0, warn: 1, bad: 2 })[status]
