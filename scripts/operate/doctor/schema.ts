import { examineMigrations as readMigrationFindings } from '../../schema/verify/migrations.ts'
import type { VerifyFinding } from '../../schema/verify/finding.ts'
import { plural } from '../../core/text.ts'
import { isPending, migrateFirst, type Check, type CheckContext, type Examination, type Finding } from './check.ts'

interface Part {
  readonly name: string
  readonly looksAt: string
  /** Selects the schema findings of `make verify` that this check reports. */
  readonly reports: (finding: VerifyFinding) => boolean
}

const objectParts: readonly Part[] = [
  {
    name: 'invalid indexes',
    looksAt: 'indexes of our tables that a failed concurrent build left: written to, never read, unique or not',
    reports: ({ code }) => code === 'index_invalid' || code === 'index_in_build',
  },
  {
    name: 'unvalidated constraints',
    looksAt: 'constraints of our tables and domains that hold for new rows only',
    reports: ({ code }) => code === 'constraint_not_validated',
  },
  {
    name: 'disabled triggers',
    looksAt: 'triggers of our tables that do not fire, those behind foreign keys included',
    reports: ({ code }) => code === 'trigger_disabled',
  },
  {
    name: 'row security',
    looksAt: 'tables whose row security is off, or does not apply to their owner',
    reports: ({ code }) => code.startsWith('row_security_'),
  },
  {
    name: 'owners',
    looksAt: 'objects whose owner is not that of most of our tables',
    reports: ({ code }) => code === 'owner_differs',
  },
]

const isDefault = ({ object }: VerifyFinding): boolean => object.startsWith('DEFAULT ')

const schemaParts: readonly Part[] = [
  {
    name: 'policies',
    looksAt: 'policies of our tables: must be exactly those of db/schema.sql, because permissive policies add up',
    reports: ({ code }) => code.startsWith('policy_'),
  },
  {
    name: 'definitions',
    looksAt: 'all objects of the migrations that no other check covers, and objects that were added to them',
    reports: (finding) => !parts.some(({ name, reports }) => name !== 'definitions' && reports(finding)),
  },
  {
    name: 'privileges',
    looksAt: 'privileges on our objects and their columns',
    reports: (finding) => finding.code.startsWith('privilege_') && !isDefault(finding),
  },
  {
    name: 'default privileges',
    looksAt: 'privileges on objects that later migrations create',
    reports: (finding) => finding.code.startsWith('privilege_') && isDefault(finding),
  },
  {
    name: 'other objects',
    looksAt: 'objects in our schemas that are not ours',
    reports: ({ code }) => code === 'object_unknown',
  },
]

const parts: readonly Part[] = [...objectParts, ...schemaParts]

const checkOf = ({ name, looksAt, reports }: Part): Check => ({
  name,
  looksAt,
  examine: async (context) => ({ findings: await whilePending(context, (await context.schema()).filter(reports)) }),
})

export const objectChecks: readonly Check[] = objectParts.map(checkOf)

export const schemaChecks: readonly Check[] = [
  {
    name: 'migrations',
    looksAt: 'whether the applied migrations are those of db/migrations',
    examine: examineMigrations,
  },
  ...schemaParts.map(checkOf),
]

async function examineMigrations({ migrations }: CheckContext): Promise<Examination> {
  const all = await migrations()
  const findings = readMigrationFindings(all).map(({ code, object, what, remedy = '' }): Finding => ({
    ...{ code, subject: object, what, remedy },
    severity: code === 'migration_pending' ? 'warn' : 'bad',
  }))
  return { figure: `${all.length - findings.length} applied`, findings }
}

/** The grantees whose privileges the migrations decide. */
const exposed = / (PUBLIC|anon|authenticated|service_role|leo_api|leo_worker)$/

/** Codes and objects of findings that remove no protection and break no statement. */
const minor = [
  /^(index_missing|constraint_not_validated|comment_|(index|statistics|column|table|view|type|function|sequence)_extra)/,
  /^(table|column)_differs .* (options|storage|settings)$/,
]

function severityOf({ code, object, isKnown }: VerifyFinding): Finding['severity'] {
  if (isKnown) return 'note'
  // The operator may know a role that the migrations do not know.
  const isOfOthers = code === 'privilege_extra' && !exposed.test(object)
  return isOfOthers || minor.some((one) => one.test(`${code} ${object}`)) ? 'warn' : 'bad'
}

/**
 * Pending migrations may still remove extra objects and create missing ones. Extra objects are warnings without SQL to
 * remove them, because services of the previous release may need them. Missing objects are only counted.
 */
async function whilePending(context: CheckContext, all: readonly VerifyFinding[]): Promise<readonly Finding[]> {
  const findings = all.map((finding): Finding => ({
    ...{ code: finding.code, severity: severityOf(finding), subject: finding.object, what: finding.what },
    remedy: finding.remedy ?? 'keep it if it is intended: this repository does not depend on it',
  }))
  if (!(await isPending(context))) return findings
  const isCounted = ({ code }: Finding): boolean => /_(missing|differs)$/.test(code)
  const warnings = findings
    .filter((finding) => !isCounted(finding))
    .map((finding): Finding =>
      finding.severity === 'bad' || /_extra$/.test(finding.code) ? { ...finding, severity: 'warn', remedy: migrateFirst } : finding,
    )
  const counted = findings.filter(isCounted)
  const [first] = counted
  if (!first) return warnings
  const what = `${plural(counted.length, 'difference')} from db/schema.sql, the first: ${first.what}`
  return [...warnings, { code: 'not_there_yet', severity: 'note', subject: first.subject, what, remedy: migrateFirst }]
}
