import type { Catalog, CatalogObject, FactChange } from '../catalog/model.ts'
import type { SchemaText } from '../dump/schema-text.ts'
import type { LiveComparison, LiveDifference } from '../live/compare-live.ts'
import { readAspects } from './aspects.ts'
import { describeDifference, short } from './describe-difference.ts'
import type { VerifyFinding } from './finding.ts'
import { codeOf, labelWithKind, objectName, ownerName, qualified, quote } from './names.ts'
import { privilegeDifferences, statements, type PrivilegeDifference } from './privileges.ts'
import { comment, commentTarget, create, entryOf, remove, replace, sqlKind } from './remedies.ts'

/** A finding with its subject, from which `ReadAccepted` decides whether it was accepted at adoption. */
export interface SchemaFinding extends VerifyFinding {
  readonly about: {
    /** The object as the migrations create it. */
    readonly wanted?: CatalogObject
    readonly found?: CatalogObject
    /** The name of the aspect that differs. */
    readonly aspect?: string
    readonly privileges?: PrivilegeDifference
  }
}

interface Sides {
  readonly reference: Catalog
  readonly live: Catalog
  readonly schema: SchemaText
  /** The indexes that are being built: qualified name → process id. */
  readonly building: ReadonlyMap<string, number>
}

/** Converts the differences to findings. Each pair of code and object is reported once. */
export function readFindings(
  { reference, live, differences }: LiveComparison,
  schema: SchemaText,
  building: ReadonlyMap<string, number>,
): SchemaFinding[] {
  const sides: Sides = { reference: reference.catalog, live, schema, building }
  const findings = [
    ...privilegeDifferences(differences, reference.catalog, live).flatMap(describePrivileges),
    ...differences.flatMap((difference) => describe(difference, sides)),
  ]
  const keys = new Set<string>()
  return findings.filter(({ code, object }) => keys.size !== keys.add(`${code} ${object}`).size)
}

function describe(difference: LiveDifference, sides: Sides): SchemaFinding[] {
  const { pair, standing, outermost, outermostStanding } = difference
  const { base: wanted, head: found } = pair
  const object = (found ?? wanted)!
  if (/^(grant|default privileges)$/.test(object.kind)) return []
  if (wanted && found) return describeChange(difference, wanted, found, sides)
  // An object and its parts are one finding, unless a managed part belongs to an object that is not managed.
  if (outermost && outermostStanding === standing) return []
  if (wanted) return [missing(wanted, sides)]
  return standing === 'foreign' ? unknown(object, sides) : extra(object, sides)
}

// --- Missing, extra, unknown

function missing(wanted: CatalogObject, { reference, schema }: Sides): SchemaFinding {
  const parts = ['enum value', 'attribute']
  const isPart = parts.includes(wanted.kind)
  const object = isPart ? ownerName(reference, wanted) : objectName(reference, wanted)
  return {
    code: `${codeOf(wanted)}_${isPart ? 'differs' : 'missing'}`,
    object,
    what: `${labelWithKind(reference, wanted)} is missing`,
    remedy: create(reference, wanted, entryOf(schema, reference, wanted)),
    isKnown: false,
    about: { wanted },
  }
}

function extra(found: CatalogObject, sides: Sides): SchemaFinding[] {
  const { live, building } = sides
  const invalid = found.kind === 'index' && found.facts['valid'] === 'no' ? [invalidIndex(qualified(found), building, { found })] : []
  if (invalid.length > 0) return invalid
  const isPart = found.kind === 'enum value' || found.kind === 'attribute'
  const finding = {
    code: `${codeOf(found)}_${isPart ? 'differs' : 'extra'}`,
    object: isPart ? ownerName(live, found) : objectName(live, found),
    what: `${labelWithKind(live, found)} is not in db/schema.sql${definitionOf(found)}`,
    remedy: remove(live, found),
    isKnown: false,
    about: { found },
  }
  return [finding, ...(found.facts['validated'] === 'no' ? [unvalidated(live, found)] : [])]
}

/** The definition of an extra object, if it fits into the line of the finding. */
function definitionOf({ kind, facts }: CatalogObject): string {
  if (facts['definition'] !== undefined && !/view|type/.test(kind)) return `: ${short(facts['definition'])}`
  if (kind !== 'policy' && kind !== 'column') return ''
  const list = Object.entries(facts).map(([fact, from]) => ({ fact, from, to: null }))
  const words = kind === 'policy' ? [`FOR ${facts['command']!.toUpperCase()}`] : []
  const texts = list.filter(({ fact }) => /^(roles|using|check|type|nullable|default|identity|generated)$/.test(fact))
  return `: ${short([...words, ...readAspects({ kind }, texts).map(({ wanted }) => wanted)].join(' '))}`
}

/** Reports an object that is not managed. A schema that is not managed and its contents are one finding. */
function unknown(found: CatalogObject, { live, reference }: Sides): SchemaFinding[] {
  const hasSchema = ({ objects }: Catalog): boolean => objects.some(({ kind, name }) => kind === 'schema' && name === found.schema)
  const isInForeignSchema = hasSchema(live) && !hasSchema(reference)
  if (isInForeignSchema) return []
  const what = `${labelWithKind(live, found)} is not managed by this repository`
  return [{ code: 'object_unknown', object: objectName(live, found), what, isKnown: true, about: { found } }]
}

// --- Different

function describeChange({ facts }: LiveDifference, wanted: CatalogObject, found: CatalogObject, sides: Sides): SchemaFinding[] {
  const { reference, live, schema } = sides
  const about = { wanted, found }
  const findings: SchemaFinding[] = []
  const rest: FactChange[] = []
  for (const fact of facts) {
    const own = stateOf(fact, wanted, found, sides)
    if (own) findings.push({ ...own, isKnown: own.code === 'index_in_build', about: { ...about, aspect: fact.fact } })
    else rest.push(fact)
  }
  const object = objectName(live, found)
  const entry = entryOf(schema, reference, wanted)
  for (const aspect of readAspects(wanted, rest)) {
    findings.push({
      code: `${codeOf(wanted)}_differs`,
      object: `${object} ${aspect.name}`.trim(),
      what: `${`${labelWithKind(live, found)} ${aspect.name}`.trim()} ${describeDifference(aspect.wanted, aspect.found)}`,
      remedy: replace(reference, wanted, entry),
      isKnown: false,
      about: { ...about, aspect: aspect.name },
    })
  }
  return findings
}

type State = Omit<SchemaFinding, 'isKnown' | 'about'>

/** Describes facts that have separate codes: states that disable a protection, owners, comments. */
function stateOf(fact: FactChange, wanted: CatalogObject, found: CatalogObject, sides: Sides): State | undefined {
  const { reference, live, building } = sides
  const name = qualified(found)
  const on = ownerName(live, found)
  switch (fact.fact) {
    case 'row security': {
      if (fact.to !== 'off') {
        const what = `row security of ${name} is enabled, and the migrations do not enable it`
        return { code: 'row_security_extra', object: `${name} row security`, what, remedy: remove(live, found) }
      }
      const remedy = `alter table ${name} enable row level security;`
      return { code: 'row_security_off', object: name, what: `${name} shows all its rows`, remedy }
    }
    case 'forced row security': {
      if (fact.to !== 'off') return undefined
      const what = `the policies of ${name} do not apply to its owner`
      return { code: 'row_security_not_forced', object: name, what, remedy: `alter table ${name} force row level security;` }
    }
    case 'valid':
      return fact.to === 'no' ? invalidIndex(name, building, { wanted, found }) : undefined
    case 'index valid':
      return fact.to === 'no'
        ? invalidIndex(`${quote(found.schema!)}.${quote(found.name)}`, building, { wanted, found })
        : undefined
    case 'validated':
      return fact.to === 'no' ? unvalidated(live, found) : undefined
    case 'enabled': {
      if (found.kind !== 'trigger' || !/^(no|on replicas)$/.test(fact.to ?? '')) return undefined
      const own = quote(found.name)
      const what = `trigger ${own} on ${on} does not fire`
      return { code: 'trigger_disabled', object: `${on} ${own}`, what, remedy: `alter table ${on} enable trigger ${own};` }
    }
    case 'triggers': {
      const own = quote(found.name)
      const what = `the trigger of constraint ${own} on ${on} does not fire`
      // Only a superuser can disable and enable the triggers of foreign keys.
      return { code: 'trigger_disabled', object: `${on} ${own}`, what, remedy: `alter table ${on} enable trigger all;` }
    }
    case 'owner': {
      const [owner, others] = [quote(fact.to ?? ''), quote(fact.from ?? '')]
      const kind = /^(function|procedure|aggregate|window function)$/.test(found.kind) ? 'routine' : sqlKind(found).toLowerCase()
      const remedy = `alter ${kind} ${name} owner to ${others};`
      return { code: 'owner_differs', object: name, what: `${name} is owned by ${owner}, the rest by ${others}`, remedy }
    }
    case 'comment':
    case 'index comment': {
      const target = fact.fact === 'comment' ? commentTarget(reference, wanted) : `INDEX ${quote(wanted.schema!)}.${quote(wanted.name)}`
      const object = `comment on ${target.replace(/^[A-Z ]+(?= )/, (words) => words.toLowerCase())}`
      const code = fact.to === null ? 'comment_missing' : 'comment_differs'
      const what = fact.to === null ? `${object} is missing` : `${object} ${describeDifference(fact.from!, fact.to)}`
      return { code, object, what, remedy: comment(target, fact.from!) }
    }
    default:
      return undefined
  }
}

function invalidIndex(name: string, building: ReadonlyMap<string, number>, about: SchemaFinding['about']): SchemaFinding {
  const process = building.get(name)
  if (process !== undefined) {
    const what = `${name} is being built by process ${process}`
    return { code: 'index_in_build', object: name, what, remedy: 'wait for it', isKnown: true, about }
  }
  const isLeftover = /_cc(new|old)\d*"?$/.test(name)
  return {
    code: 'index_invalid',
    object: name,
    what: `${name} is invalid${isLeftover ? ', left by a failed reindex' : ''}`,
    // A unique index cannot be built if there are duplicates; the statement then reports them.
    remedy: isLeftover ? `drop index concurrently ${name};` : `reindex index concurrently ${name};`,
    isKnown: false,
    about,
  }
}

function unvalidated(catalog: Catalog, found: CatalogObject): SchemaFinding {
  const [name, on] = [quote(found.name), ownerName(catalog, found)]
  return {
    code: 'constraint_not_validated',
    object: `${on} ${name}`,
    what: `${name} of ${on} may not hold for old rows`,
    remedy: `alter ${found.table === null ? 'domain' : 'table'} ${on} validate constraint ${name};`,
    isKnown: false,
    about: { found },
  }
}

// --- Privileges

const describePrivileges = (difference: PrivilegeDifference): SchemaFinding[] =>
  (['extra', 'missing'] as const)
    .filter((of) => difference[of].length > 0)
    .map((of): SchemaFinding => {
      const { object, grantee, isForeign } = difference
      const on = object.replace(/^DEFAULT .*?ON /, 'new ')
      const only = { ...difference, missing: [], extra: [], [of]: difference[of] }
      return {
        code: `privilege_${of}`,
        object: `${object} ${grantee}`,
        what: `${grantee} ${of === 'missing' ? 'lacks' : 'has'} ${difference[of].join(', ')} on ${on}`,
        remedy: statements(only),
        isKnown: of === 'extra' && isForeign,
        about: { privileges: only },
      }
    })
