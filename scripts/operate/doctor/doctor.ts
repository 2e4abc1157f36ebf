import { performance } from 'node:perf_hooks'
import pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import type { Check, Examination, Patient, Status } from './check.ts'
import { objectChecks } from './objects.ts'
import { openPatient, type PatientOptions } from './context.ts'
import { queueChecks } from './queue.ts'
import { roleChecks } from './roles.ts'
import { schemaChecks } from './schema.ts'
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

/** Adding a check is adding an entry to one of these. */
const groups = {
  sessions: sessionChecks,
  queue: queueChecks,
  objects: objectChecks,
  storage: storageChecks,
  schema: schemaChecks,
  roles: roleChecks,
} satisfies Readonly<Record<string, readonly Check[]>>

const groupNames = Object.keys(groups) as Array<keyof typeof groups>

export interface DoctorOptions extends PatientOptions {
  /** Instead of all. */
  readonly groups?: ReadonlyArray<keyof typeof groups>
}

/**
 * Looks at a database that others work in, and changes nothing. Each query runs in a read only transaction of its own
 * with short timeouts; no table is read whole, and nobody waits for it, with one exception: to compare the schema with
 * db/schema.sql it is dumped, which holds ACCESS SHARE on every table of our schemas for about a second, so that an
 * ALTER TABLE at that moment waits as long. A check that cannot look says so, and the others go on.
 *
 * @throws Failure when the database cannot be reached, or only through a transaction pooler.
 */
export async function examine(target: Target, options: DoctorOptions = {}): Promise<Report> {
  refusePooler(target)
  const started = performance.now()
  const ask = async (client: pg.Client): Promise<Report> => {
    const patient = await openPatient(client, target, options)
    const checks: CheckReport[] = []
    for (const group of options.groups ?? groupNames) {
      for (const check of groups[group]) checks.push({ group, ...(await report(check, patient)) })
    }
    const [server] = await patient.query<{ version: string }>(`select current_setting('server_version') as version`)
    return {
      database: target.label,
      server_version: server?.version ?? '?',
      status: worst(checks.map((check) => check.status)),
      milliseconds: Math.round(performance.now() - started),
      checks,
    }
  }
  return withClient(target, (client) => orFailure(target, () => ask(client)))
}

async function report({ name, looksAt, examine }: Check, patient: Patient): Promise<Omit<CheckReport, 'group'>> {
  const examination = await examine(patient).catch(couldNotLook)
  const status = worst(examination.findings.map(({ severity }) => severity))
  return { name, looks_at: looksAt, status, ...examination }
}

/** What the server refused, or had no time for, is a finding. A lost connection, or a defect, is not. */
function couldNotLook(error: unknown): Examination {
  const isRefusal = error instanceof Failure || (error instanceof pg.DatabaseError && error.code !== undefined)
  if (!isRefusal) throw error
  const { message } = error
  const [subject, remedy] =
    error instanceof Failure
      ? ['failure', error.remedy]
      : [String(error.code), remedies[String(error.code)] ?? 'see to that and look again']
  return { findings: [{ code: 'not_examined', severity: 'warn', subject, what: `could not look: ${message}`, remedy }] }
}

const remedies: Readonly<Record<string, string>> = {
  '42501': 'log in as the role that owns the schema (`postgres` on Supabase)',
  '55P03': 'somebody holds a lock: see blocked sessions, then look again',
  '57014': 'the server took too long over it: look again when it is less busy',
}

const order: readonly Status[] = ['ok', 'note', 'warn', 'bad']

const worst = (all: readonly Status[]): Status => order[Math.max(0, ...all.map((one) => order.indexOf(one)))]!

/** 0 when there is nothing to do, 1 for warnings, 2 for something bad. */
export const exitCode = ({ status }: Report): number => ({ ok: 0, note: 0, warn: 1, bad: 2 })[status]
