import { examineMigrations as readMigrationFindings } from '../../schema/verify/migrations.ts'
import type { VerifyFinding } from '../../schema/verify/finding.ts'
import { plural } from '../../core/text.ts'
import { isPending, migrateFirst, type Check, type CheckContext, type Examination, type Finding } from './check.ts'

interface Part {
  readonly name: string
  readonly looksAt: string
  /** Of the findings of `make verify` about the schema, those that this check reports. */
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
    looksAt: 'policies of our tables: exactly those of db/schema.sql, for permissive ones add up',
    reports: ({ code }) => code.startsWith('policy_'),
  },
  {
    name: 'definitions',
    looksAt: 'everything that the migrations create and no other check is about, and what was added to it',
    reports: (finding) => !parts.some(({ name, reports }) => name !== 'definitions' && reports(finding)),
  },
  {
    name: 'privileges',
    looksAt: 'what is granted on our objects, to the column',
    reports: (finding) => finding.code.startsWith('privilege_') && !isDefault(finding),
  },
  {
    name: 'default privileges',
    looksAt: 'what is granted on the objects that the next migration creates',
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

/** Codes and objects of what takes no protection away and breaks no statement. */
const lesser = [
  /^(index_missing|constraint_not_validated|comment_|(index|statistics|column|table|view|type|function|sequence)_extra)/,
  /^(table|column)_differs .* (options|storage|settings)$/,
]

function severityOf({ code, object, isKnown }: VerifyFinding): Finding['severity'] {
  if (isKnown) return 'note'
  // The operator may know a role that the migrations do not know.
  const isOfOthers = code === 'privilege_extra' && !exposed.test(object)
  return isOfOthers || lesser.some((one) => one.test(`${code} ${object}`)) ? 'warn' : 'bad'
}

/**
 * While migrations are pending, they may still remove what is extra and create what is missing: the first is a warning
 * without SQL, which would take from services of the previous release what they need, the second only counted.
 */
async function whilePending(context: CheckContext, all: readonly VerifyFinding[]): Promise<readonly Finding[]> {
  const findings = all.map((finding): Finding => ({
    ...{ code: finding.code, severity: severityOf(finding), subject: finding.object, what: finding.what },
    remedy: finding.remedy ?? 'leave it if you know it: nothing here depends on it',
  }))
  if (!(await isPending(context))) return findings
  const isLeft = ({ code }: Finding): boolean => /_(missing|differs)$/.test(code)
  const calmed = findings
    .filter((finding) => !isLeft(finding))
    .map((finding): Finding =>
      finding.severity === 'bad' || /_extra$/.test(finding.code) ? { ...finding, severity: 'warn', remedy: migrateFirst } : finding,
    )
  const left = findings.filter(isLeft)
  const [first] = left
  if (!first) return calmed
  const what = `${plural(left.length, 'difference')} from db/schema.sql, the first: ${first.what}`
  return [...calmed, { code: 'not_there_yet', severity: 'note', subject: first.subject, what, remedy: migrateFirst }]
}
