import { isPending, migrateFirst, type Check, type Examination, type Finding, type Patient } from './check.ts'
import { comparePrivileges, mend, readPrivileges, type Difference } from './privileges.ts'
import { create, drop, replace } from './remedies.ts'
import { checksOf, oneLine, qualified, tableOf, type Entry } from '../../schema/dump/schema-text.ts'
import { plural } from '../../core/text.ts'

/** What must be as db/schema.sql says, in the order in which it is worth reading. */
const defined = ['TABLE', 'TYPE', 'DOMAIN', 'FUNCTION', 'VIEW', 'TRIGGER', 'CONSTRAINT', 'FK CONSTRAINT', 'INDEX']

/** What is on a table, and if it is one of ours changes what the table does, whoever made it. */
const meddling = ['POLICY', 'TRIGGER', 'RULE']

export const schemaChecks: readonly Check[] = [
  {
    name: 'migrations',
    looksAt: 'whether the applied migrations are those of db/migrations',
    examine: examineMigrations,
  },
  {
    name: 'policies',
    looksAt: 'policies of our tables: those of db/schema.sql and no other, for permissive ones add up',
    examine: (patient) => compareEntries(patient, ['POLICY']),
  },
  {
    name: 'definitions',
    looksAt: 'tables, types, functions, triggers, constraints and indexes of db/schema.sql, and triggers beside them',
    examine: (patient) => compareEntries(patient, defined),
  },
  {
    name: 'privileges',
    looksAt: 'what is granted on our objects, to the column',
    async examine(patient) {
      const differences = await privilegeDifferences(patient)
      return judgePrivileges(patient, differences.filter(({ object }) => !object.startsWith('DEFAULT ')))
    },
  },
  {
    name: 'default privileges',
    looksAt: 'what is granted on the objects that the next migration makes',
    async examine(patient) {
      const { owner, is_owner } = await ownerOf(patient)
      if (!is_owner) {
        const what = `default privileges are those of ${owner}, who owns our tables, and nobody else sees them here`
        const remedy = `log in as ${owner}`
        return { findings: [{ code: 'default_privileges_unseen', severity: 'note', subject: owner, what, remedy }] }
      }
      const differences = await privilegeDifferences(patient)
      return judgePrivileges(patient, differences.filter(({ object }) => object.startsWith('DEFAULT ')))
    },
  },
  {
    name: 'other objects',
    looksAt: 'what else is in our schemas',
    async examine({ wanted, found }) {
      const types = [...defined, 'MATERIALIZED VIEW', 'PROCEDURE'].filter((type) => !meddling.includes(type))
      const all = (await found()).entries.filter(({ type }) => types.includes(type))
      const findings = all.filter(({ key }) => !wanted.byKey.has(key)).map((entry): Finding => ({
        code: 'object_unknown',
        severity: 'note',
        subject: qualified(entry),
        what: `${label(entry)} is not in db/schema.sql`,
        remedy: 'leave it if you know it: nothing here depends on it',
      }))
      return { findings }
    },
  },
]

export async function examineMigrations({ migrations }: Patient): Promise<Examination> {
  const all = await migrations()
  const findings = all
    .filter(({ state }) => state !== 'applied')
    .map(({ version, name, state }): Finding => ({
      code: `migration_${state.replaceAll(' ', '_')}`,
      severity: state === 'pending' ? 'warn' : 'bad',
      subject: version,
      what: `${version}_${name} is ${state}`,
      remedy: state === 'pending' ? 'make migrate' : 'make migrate says what to do, and until then does nothing',
    }))
  return { figure: `${all.length - findings.length} applied`, findings }
}

// --- Entries of the dump

async function compareEntries(patient: Patient, types: readonly string[]): Promise<Examination> {
  const { wanted, query } = patient
  const found = await patient.found()
  const ours = wanted.entries.filter(({ type }) => types.includes(type))

  // pg_dump leaves out invalid indexes, which have a check of their own.
  const indexes = await query<{ name: string }>(
    'select name from unnest($1::text[]) as name where to_regclass(name) is not null',
    [ours.filter(({ type }) => type === 'INDEX').map(qualified)],
  )
  const isThere = (entry: Entry): boolean =>
    found.byKey.has(entry.key) || (entry.type === 'INDEX' && indexes.some(({ name }) => name === qualified(entry)))

  const missing = ours.filter((entry) => !isThere(entry)).map((entry): Finding => ({
    code: `${kind(entry)}_missing`,
    severity: entry.type === 'INDEX' ? 'warn' : 'bad',
    subject: qualified(entry),
    what: `${label(entry)} is missing`,
    remedy: create(entry),
  }))
  const differing = ours.flatMap((entry): Finding[] => {
    const other = found.byKey.get(entry.key)
    if (!other) return []
    const checks = checksOf(found, other)
    const lacking = [...checksOf(wanted, entry)].filter((check) => !checks.has(check))
    return [
      ...(essence(entry) === essence(other)
        ? []
        : [{
            code: `${kind(entry)}_differs`,
            severity: 'bad',
            subject: qualified(entry),
            what: `${label(entry)} is not what db/schema.sql:${entry.line} says`,
            remedy: replace(entry, other),
          } as const]),
      ...lacking.map((check): Finding => ({
        code: 'check_missing',
        severity: 'bad',
        subject: `${qualified(entry)} ${check}`,
        what: `check ${check} of ${qualified(entry)} is missing`,
        remedy: `add it NOT VALID as in db/schema.sql:${entry.line}, then validate it`,
      })),
    ]
  })
  // A rule is looked at with the triggers: we have none.
  const meddlers = meddling.filter((type) => types.includes(type === 'RULE' ? 'TRIGGER' : type))
  const extra = found.entries
    .filter(({ type, key }) => meddlers.includes(type) && !wanted.byKey.has(key))
    .filter((entry) => wanted.tables.has(tableOf(entry)))
    .map((entry): Finding => ({
      code: `${kind(entry)}_extra`,
      severity: 'bad',
      subject: qualified(entry),
      what: `${label(entry)} is not in db/schema.sql: ${oneLine(entry.sql)}`,
      remedy: drop(entry),
    }))
  return {
    figure: `${ours.length - missing.length} of ${ours.length}`,
    findings: await whilePending(patient, extra, [...differing, ...missing]),
  }
}

const kind = ({ type }: Entry): string => type.toLowerCase().replaceAll(' ', '_')

const label = (entry: Entry): string => {
  const type = entry.type.toLowerCase()
  if (!/POLICY|TRIGGER|RULE|CONSTRAINT/.test(entry.type)) return `${type} ${qualified(entry)}`
  return `${type} ${entry.name.slice(entry.name.indexOf(' ') + 1)} on ${tableOf(entry)}`
}

/** The part that is compared; the rest has checks of its own, or is written differently by other majors. */
function essence({ type, sql }: Entry): string {
  switch (type) {
    case 'TABLE':
    case 'DOMAIN':
      return ''
    case 'VIEW':
      return sql.split('\n', 1)[0]!
    case 'FUNCTION':
    case 'POLICY':
    case 'TYPE':
      return sql
    default:
      // Without what pg_dump adds of a trigger that is disabled, of an index that is clustered on.
      return sql.split(';\n\n', 1)[0]!.replace(/( NOT VALID)?;?$/, '')
  }
}

// --- Privileges

export async function ownerOf({ query, wanted }: Patient): Promise<{ owner: string; is_owner: boolean }> {
  const rows = await query<{ owner: string; is_owner: boolean }>(
    `select quote_ident(pg_get_userbyid(relowner)) as owner, pg_get_userbyid(relowner) = current_user as is_owner
    from unnest($1::text[]) as name join pg_class on oid = to_regclass(name)
    group by relowner order by count(*) desc limit 1`,
    [[...wanted.tables]],
  )
  return rows[0] ?? { owner: 'postgres', is_owner: true }
}

export async function privilegeDifferences(patient: Patient): Promise<Difference[]> {
  const { owner } = await ownerOf(patient)
  const wanted = readPrivileges(patient.wanted, owner)
  const functions = [...wanted.keys()].filter((key) => key.startsWith('FUNCTION '))
  return comparePrivileges(wanted, readPrivileges(await patient.found(), owner, functions))
}

/** What is missing, or what is too much. */
export function describePrivilege(difference: Difference, of: 'missing' | 'extra'): Omit<Finding, 'severity'> {
  const { object, grantee } = difference
  const on = object.replace(/^DEFAULT .*?ON /, 'new ')
  return {
    code: `privilege_${of}`,
    subject: `${object} ${grantee}`,
    what: `${grantee} ${of === 'missing' ? 'lacks' : 'has'} ${difference[of].join(', ')} on ${on}`,
    remedy: mend({ ...difference, missing: [], extra: [], [of]: difference[of] }),
  }
}

const exposed = ['PUBLIC', 'anon', 'authenticated', 'service_role']

async function judgePrivileges(patient: Patient, differences: readonly Difference[]): Promise<Examination> {
  const ours = [...exposed, patient.roles.api, patient.roles.worker]
  const findings = (of: 'missing' | 'extra'): Finding[] =>
    differences
      .filter((difference) => difference[of].length > 0)
      .map((difference) => {
        const { object, grantee } = difference
        // `public` is the platform's, and a role that we do not know is perhaps known to whoever granted it.
        const isLess = of === 'extra' && (object === 'SCHEMA public' || !ours.includes(grantee))
        return { severity: isLess ? 'warn' : 'bad', ...describePrivilege(difference, of) }
      })
  return { findings: await whilePending(patient, findings('extra'), findings('missing')) }
}

/**
 * While migrations are pending, what is too much may go with them and what is not there may come: the first is said
 * less loudly and without SQL, which would take from old writers what they still need, the second is only counted.
 */
async function whilePending(
  patient: Patient,
  extra: readonly Finding[],
  missing: readonly Finding[],
): Promise<readonly Finding[]> {
  if (!(await isPending(patient))) return [...extra, ...missing]
  const calmed = extra.map((finding): Finding => ({ ...finding, severity: 'warn', remedy: migrateFirst }))
  const [first] = missing
  if (!first) return calmed
  const what = `${plural(missing.length, 'thing')} not yet as in db/schema.sql, the first: ${first.what}`
  return [...calmed, { code: 'not_there_yet', severity: 'note', subject: first.subject, what, remedy: migrateFirst }]
}
