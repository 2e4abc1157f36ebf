import type pg from 'pg'
import type { Target } from '../../core/target.ts'
import type { Finding, Patient } from '../../operate/doctor/check.ts'
import { objectChecks } from '../../operate/doctor/objects.ts'
import { openPatient } from '../../operate/doctor/context.ts'
import { create, drop, replace } from '../../operate/doctor/remedies.ts'
import { describePrivilege, ownerOf, privilegeDifferences } from '../../operate/doctor/schema.ts'
import { oneLine, qualified } from '../dump/schema-text.ts'
import { Failure } from '../../core/failure.ts'
import { isAdopted, isAspectAdopted, isGrantAdopted, readAdopted, type Adopted } from '../../upgrade/adopted.ts'
import { contrast, short } from './describe-difference.ts'
import type { VerifyFinding } from './finding.ts'
import { readParts, type Part } from './parts.ts'

/**
 * In what the database's schema is not what db/schema.sql says: what is missing or different, and what is beside it on
 * our tables or in `private`. What was harmless when the database was adopted, and strangers in `public`, are known.
 */
export async function examineSchema(client: pg.Client, target: Target): Promise<VerifyFinding[]> {
  // `verify()` has seen to it that none is pending.
  const patient: Patient = { ...(await openPatient(client, target)), migrations: async () => [] }
  const adopted = await readAdopted(client)
  const state = [...(await examineState(patient)), ...(await examineLeaks(patient))]
  try {
    await patient.found()
  } catch (error) {
    // For instance because somebody else owns a table, which is among what was found.
    if (!(error instanceof Failure)) throw error
    const { message, remedy } = error
    return [...state, { code: 'schema_unread', object: target.label, what: message, remedy, isKnown: false }]
  }
  const invalid = new Set(state.filter(({ code }) => /^index_/.test(code)).map(({ object }) => object))
  return [
    ...(await examinePrivileges(patient, adopted)),
    ...state,
    ...(await examineParts(patient, adopted, invalid)),
  ].map(({ remedy, ...finding }) => (finding.isKnown || remedy === undefined ? finding : { ...finding, remedy }))
}

// --- What the text of a dump does not say

async function examineState(patient: Patient): Promise<VerifyFinding[]> {
  const findings: VerifyFinding[] = []
  for (const { examine } of objectChecks) findings.push(...(await examine(patient)).findings.map(asFinding))
  return findings
}

export const asFinding = ({ code, severity, subject, what, remedy }: Finding): VerifyFinding => ({
  code,
  object: subject,
  what,
  remedy,
  isKnown: severity === 'note',
})

/** A view made with its owner's rights shows users what row security keeps from them. */
async function examineLeaks({ query, wanted }: Patient): Promise<VerifyFinding[]> {
  const rows = await query<{ kind: string; name: string }>(
    `select distinct
      case v.relkind when 'm' then 'materialized view' else 'view' end as kind,
      v.oid::regclass::text as name
    from pg_class as v
    join pg_rewrite as r on r.ev_class = v.oid
    join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    where v.relkind in ('v', 'm')
      and d.refclassid = 'pg_class'::regclass
      and d.refobjid in (select to_regclass(name) from unnest($1::text[]) as name)
      and not exists (
        select from pg_options_to_table(v.reloptions) where option_name = 'security_invoker' and option_value::boolean
      )
      and exists (
        select from pg_roles where rolname in ('anon', 'authenticated') and (
          has_any_column_privilege(oid, v.oid, 'select, insert, update') or has_table_privilege(oid, v.oid, 'delete')
        )
      )
    order by 2`,
    [[...wanted.tables]],
  )
  return rows
    .filter(({ name }) => !wanted.byKey.has(`VIEW ${name}`))
    .map(({ kind, name }) => ({
      code: 'view_leaks',
      object: name,
      what: `${kind} ${name} shows users our tables with its owner's rights, around row security`,
      remedy:
        kind === 'view'
          ? `ALTER VIEW ${name} SET (security_invoker = true);`
          : `REVOKE ALL ON ${name} FROM PUBLIC, anon, authenticated;`,
      isKnown: false,
    }))
}

// --- Grants

async function examinePrivileges(patient: Patient, adopted: Adopted): Promise<VerifyFinding[]> {
  const { owner, is_owner } = await ownerOf(patient)
  const differences = (await privilegeDifferences(patient)).filter(
    // Nobody but the owner of default privileges has them in a dump.
    ({ object }) => is_owner || !object.startsWith('DEFAULT '),
  )
  const findings = differences.flatMap((difference) =>
    (['extra', 'missing'] as const)
      .filter((of) => difference[of].length > 0)
      .map((of): VerifyFinding => {
        const { subject, ...rest } = describePrivilege(difference, of)
        // `public` is the platform's, and so is who may use it.
        const isKnown = of === 'extra' && (difference.object === 'SCHEMA public' || isGrantAdopted(adopted, difference))
        return { ...rest, object: subject, isKnown }
      }),
  )
  if (is_owner) return findings
  const what = `default privileges are those of ${owner}, who owns our tables, and nobody else sees them here`
  const remedy = `log in as ${owner}`
  return [{ code: 'default_privileges_unseen', object: owner, what, remedy, isKnown: false }, ...findings]
}

// --- Objects

/** @param invalid indexes, which pg_dump leaves out. */
async function examineParts(
  { wanted, found, query }: Patient,
  adopted: Adopted,
  invalid: ReadonlySet<string>,
): Promise<VerifyFinding[]> {
  const [should, does] = [readParts(wanted), readParts(await found())]
  const [server] = await query<{ major: number }>(`select current_setting('server_version_num')::int / 10000 as major`)
  const holders = new Set(wanted.entries.filter(({ type }) => /^(TABLE|DOMAIN|VIEW)$/.test(type)).map(qualified))
  const isOurs = (part: Part): boolean => {
    const on = part.on ?? part.aspects.get('owned by')?.replace(/\.[^.]+$/, '')
    if (on === undefined) return part.entry.schema === 'private'
    // A foreign key to one of ours keeps its rows from being deleted.
    const [, to = ''] = /^FOREIGN KEY .*? REFERENCES (\S+)\(/.exec(part.aspects.get('') ?? '') ?? []
    return holders.has(on) || holders.has(to)
  }
  // One line for what is missing is enough.
  const isGone = (part: Part): boolean => {
    const whole = part.kind === 'comment' ? subject(part, should) : part.on && should.get(part.on)
    return (whole && !does.has(whole.object)) || invalid.has(indexOf(part))
  }

  const lacking = [...should.values()].flatMap((part): VerifyFinding[] => {
    const { kind, object } = part
    const other = does.get(object)
    if (other) return compare(part, other, adopted, normal(part, should, does, server?.major))
    if (isGone(part) || kind === 'row_security') return []
    const isKnown = isAdopted(adopted, part)
    return [{ code: `${kind}_missing`, object, what: `${label(part)} is missing`, remedy: made(part), isKnown }]
  })
  const extra = [...does.values()].flatMap((part): VerifyFinding[] => {
    const { kind, object, on } = part
    // Whoever wants to say more about an object may.
    if (should.has(object) || kind === 'comment') return []
    if (isOurs(part)) {
      const what = `${label(part)} is not in db/schema.sql: ${short([...part.aspects.values()].join(' '))}`
      return [{ code: `${kind}_extra`, object, what, remedy: gone(part), isKnown: isAdopted(adopted, part) }]
    }
    if (on !== undefined || part.aspects.has('owned by')) return []
    const what = `${label(part)} is none of ours`
    return [{ code: 'object_unknown', object, what, isKnown: true }]
  })
  return [...lacking, ...extra]
}

function compare(wanted: Part, found: Part, adopted: Adopted, form: (text: string) => string): VerifyFinding[] {
  const { kind, object, entry } = wanted
  const aspects = [...new Set([...wanted.aspects.keys(), ...found.aspects.keys()])]
  return aspects.flatMap((aspect): VerifyFinding[] => {
    const should = form(wanted.aspects.get(aspect) ?? '')
    const does = form(found.aspects.get(aspect) ?? '')
    if (should === does) return []
    const what = `${`${label(wanted)} ${aspect}`.trim()} ${contrast(should, does)}`
    const remedy = kind === 'comment' ? oneLine(entry.sql) : replace(entry, found.entry)
    const isKnown = isAspectAdopted(adopted, wanted, aspect)
    return [{ code: `${kind}_differs`, object: `${object} ${aspect}`.trim(), what, remedy, isKnown }]
  })
}

/** The major that db/schema.sql is dumped from. */
const dumped = 17

/** Takes out of a text what is written differently without meaning anything else. */
function normal(
  { kind, on }: Part,
  should: ReadonlyMap<string, Part>,
  does: ReadonlyMap<string, Part>,
  major: number | undefined,
): (text: string) => string {
  if (/view/.test(kind)) {
    // Other majors write a view's columns with or without the table that they are of.
    return (text) => (major === dumped ? text : text.replace(/\b[a-z_]\w*\.(?=[a-z_"])/g, '').replace(/\s+/g, ' '))
  }
  if (on === undefined || kind === 'column') return (text) => text
  // What is said of a varchar has casts to text in it; that the column is one is said of the column.
  const varchars = [...does.values()].filter(
    ({ object, kind, on: table, aspects }) =>
      kind === 'column' && table === on && /^character varying/.test(aspects.get('type') ?? '') &&
      should.get(object)?.aspects.get('type') === 'text',
  )
  if (varchars.length === 0) return (text) => text
  const names = varchars.map(({ object }) => object.slice(on.length + 1)).join('|')
  const cast = new RegExp(`\\(((?:old\\.|new\\.)?(?:${names}))\\)::text`, 'g')
  return (text) => text.replace(cast, '$1')
}

/** What a comment is about. */
function subject({ object }: Part, parts: ReadonlyMap<string, Part>): Part | undefined {
  const [, kind = '', name = ''] = /^comment on ([a-z ]+) (.*)$/.exec(object) ?? []
  const [, part, on] = /^(\S+) ON (\S+)$/.exec(name) ?? []
  if (part !== undefined) return parts.get(`${on} ${kind} ${part}`)
  // Of a function with the names of its parameters, which its own name does not have.
  const bare = name.replace(/\(.*/, '(')
  return parts.get(name) ?? [...parts.values()].find(({ object }) => bare.endsWith('(') && object.startsWith(bare))
}

const label = ({ kind, object }: Part): string =>
  object.includes(' ') && kind !== 'function' ? object : `${kind.replaceAll('_', ' ')} ${object}`

/** An index that a constraint rests on has its name. */
const indexOf = ({ kind, object, entry }: Part): string =>
  kind === 'constraint' ? `${entry.schema}.${entry.name.split(' ')[1]}` : object

function made({ kind, entry }: Part): string {
  if (kind === 'comment') return oneLine(entry.sql)
  if (kind === 'check' && entry.type !== 'CHECK CONSTRAINT') {
    return `add it NOT VALID as in db/schema.sql:${entry.line}, then validate it`
  }
  return create(entry)
}

function gone({ kind, object, entry }: Part): string {
  if (/^(policy|trigger|rule)$/.test(kind)) return drop(entry)
  if (kind === 'index') return `DROP INDEX CONCURRENTLY ${object}; or give it a migration: make new name=…`
  return 'drop it, or give it a migration: make new name=…'
}
