import { compareFacts, isName, isNamedIn, orders, readOrders } from './facts.ts'
import { match, type Match, type Matching, type Pair } from './match.ts'
import {
  kinds, labelOf, severities, worst,
  type Action, type Catalog, type CatalogObject, type Change, type Dependent, type FactChange, type Kind, type Section,
} from '../catalog/model.ts'
import { judge, type Verdict } from './judge.ts'
import { staleBodies } from './stale.ts'

/** One object that differs, with its versions on both sides. */
export interface Difference {
  readonly pair: Pair
  /** All facts of an added or removed object; the differing facts of an object on both sides. */
  readonly facts: readonly FactChange[]
  /** The outermost object that was added or removed together with this one. */
  readonly outermost: CatalogObject | undefined
  /** The difference as reported, by section. */
  readonly changes: readonly Change[]
}

/** Whether a fact of an object that both sides have is compared. */
export type FactFilter = (pair: Pair, fact: FactChange) => boolean

/** Returns the differences from base to head. Their order does not depend on the order of the statements. */
export function diffCatalogs(base: Catalog, head: Catalog, matching: Matching): Change[] {
  return sortChanges(compareCatalogs(base, head, matching).flatMap(({ changes }) => changes))
}

export const sortChanges = (changes: readonly Change[]): Change[] =>
  [...changes].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))

/** Returns all differences of the catalogs. `remainingHunks()` has those of objects that the model lacks. */
export function compareCatalogs(
  base: Catalog,
  head: Catalog,
  matching: Matching,
  isCompared: FactFilter = () => true,
): Difference[] {
  const sides: Sides = { base, head, matched: match(base, head, matching), matching }
  const schemas = new Map(
    sides.matched.pairs.flatMap(({ base, head }) => (base?.kind === 'schema' && head ? [[base.name, head.name]] : [])),
  )
  const compared = sides.matched.pairs.map((pair) => ({ pair, ...compareFacts(pair, schemas) }))
  const renamed = compared.filter(({ facts }) => facts.some(isName)).map(({ pair }) => pair)
  const dependents = new Map(renamed.map((pair) => [pair, new Set<Pair>()]))
  const parts = readOrders(base.objects, head.objects)

  return compared.flatMap(({ pair, facts, following }): Difference[] => {
    const changed = following.filter((fact) => {
      const followed = renamed.filter((one) => isNamedIn(one, fact))
      for (const one of followed) dependents.get(one)!.add(pair)
      // If the text names no renamed object, it changed for a reason that the ids do not show.
      return followed.length === 0
    })
    const all = [...facts, ...changed, ...orders(pair, parts, sides.matched)]
    const isOnBothSides = pair.base !== undefined && pair.head !== undefined
    const own = isOnBothSides ? all.filter((fact) => isCompared(pair, fact)) : all
    if ((isOnBothSides && own.length === 0) || isImplied(pair, sides)) return []
    return [{ pair, facts: own, outermost: outermostParent(pair, sides), changes: [] }]
  }).map((difference) => {
    const names = [...(dependents.get(difference.pair) ?? [])]
      .map(({ head: one }): Dependent => ({ kind: one!.kind, object: labelOf(head, one!) }))
      .sort((a, b) => (`${a.kind} ${a.object}` < `${b.kind} ${b.object}` ? -1 : 1))
    return { ...difference, changes: describe(difference, names, sides) }
  })
}

interface Sides {
  readonly base: Catalog
  readonly head: Catalog
  readonly matched: Match
  readonly matching: Matching
}

const rank = ({ table, kind, object, action, section }: Change): string =>
  `${table ?? '~'} ${String(kinds.indexOf(kind)).padStart(2)} ${object} ${action === 'removed' ? 0 : 1} ${section}`

// --- Changes

const accessKinds: readonly Kind[] = ['policy', 'grant', 'default privileges', 'role']
const accessFacts = [
  ...['row security', 'forced row security', 'security_invoker', 'security_barrier'],
  ...['security', 'search_path', 'leakproof', 'owner'],
]

const sectionOf = (kind: Kind, { fact }: FactChange): Section =>
  accessKinds.includes(kind) || accessFacts.includes(fact) ? 'access' : 'structure'

function describe({ pair, facts, outermost }: Difference, dependents: readonly Dependent[], sides: Sides): Change[] {
  const { base, head } = pair
  const isOnBothSides = base !== undefined && head !== undefined
  const [object, catalog] = head ? [head, sides.head] : [base!, sides.base]
  const parent = parentOf(catalog, object)
  const table = object.table === null ? undefined : catalog.byId.get(object.table)
  const label = labelOf(catalog, object)
  const was = base && labelOf(sides.base, base)
  const whole = outermost ? `${outermost.kind} ${labelOf(catalog, outermost)}` : null

  return (['structure', 'access'] as const).flatMap((section): Change[] => {
    const own = facts.filter((fact) => sectionOf(object.kind, fact) === section)
    // The owner of an added object and the facts of a removed object are not changes by themselves.
    const isReported = isOnBothSides
      ? own.length > 0
      : isIn(section, object.kind) || (head !== undefined && own.some(({ fact }) => fact !== 'owner'))
    if (!isReported) return []
    const action = actionOf(pair, own)
    return [{
      kind: object.kind,
      action,
      section,
      object: label,
      was: was === undefined || was === label ? null : was,
      table: table ? labelOf(catalog, table) : null,
      grant: grantOf(catalog, object),
      facts: own,
      partOf: whole,
      isRecreated: isOnBothSides && sides.matching === 'id' && base.id !== head.id,
      dependents: action === 'renamed' ? dependents : [],
      ...sum([
        ...judge({ action, section, base, head, parent, facts: own, isPart: whole !== null }),
        ...(action === 'renamed' || (action === 'removed' && whole === null) ? stale(pair, sides) : []),
      ]),
    }]
  })
}

const stale = (pair: Pair, { base, head }: Sides): Verdict[] =>
  staleBodies(pair, base, head).map((routine) => ({ severity: 'breaking', reason: `${routine} still names it` }))

const parentOf = ({ byId }: Catalog, { parent }: CatalogObject): CatalogObject | undefined =>
  parent === null ? undefined : byId.get(parent)

function grantOf(catalog: Catalog, object: CatalogObject): Change['grant'] {
  const on = object.kind === 'grant' ? parentOf(catalog, object) : undefined
  return on ? { on: on.kind, object: labelOf(catalog, on), to: object.name } : null
}

const isIn = (section: Section, kind: Kind): boolean => (section === 'access') === accessKinds.includes(kind)

function sum(verdicts: readonly Verdict[]): Pick<Change, 'severity' | 'reasons'> {
  const severity = worst(verdicts.map((verdict) => verdict.severity))
  const reasons = severities.toReversed().flatMap((one) => verdicts.filter((verdict) => verdict.severity === one))
  return { severity, reasons: [...new Set(reasons.map(({ reason }) => reason).filter((reason) => reason !== ''))] }
}

function actionOf({ base, head }: Pair, facts: readonly FactChange[]): Action {
  if (!base) return 'added'
  if (!head) return 'removed'
  return facts.some(isName) ? 'renamed' : 'changed'
}

/** The outermost object that was added or removed together with this one. */
function outermostParent({ base, head }: Pair, sides: Sides): CatalogObject | undefined {
  if (base && head) return undefined
  const catalog = head ? sides.head : sides.base
  const pairs = head ? sides.matched.ofHead : sides.matched.ofBase
  const isOneSided = (id: string | null): boolean => {
    const other = id === null ? undefined : pairs.get(id)
    return other !== undefined && (!other.base || !other.head)
  }
  let top: CatalogObject | undefined
  for (let object = (head ?? base)!; ; object = top) {
    const next = [object.parent, object.table].find((id) => id !== object.id && isOneSided(id))
    if (next === undefined || next === null) return top
    top = catalog.byId.get(next)!
  }
}

/** Whether creating the object implies the grant: the privileges of its owner, and USAGE on a new type for PUBLIC. */
function isImplied({ base, head }: Pair, { base: inBase, head: inHead, matched }: Sides): boolean {
  const grant = (head ?? base)!
  if (grant.kind !== 'grant' || (base && head)) return false
  const on = (head ? inHead : inBase).byId.get(grant.parent!)
  const pair = (head ? matched.ofHead : matched.ofBase).get(grant.parent!)
  const isOfNew = !pair?.base || !pair.head || pair.base.facts['owner'] !== pair.head.facts['owner']
  const isUseOfType = grant.name === 'PUBLIC' && Object.keys(grant.facts).join() === 'usage' && on?.kind !== 'schema'
  return isOfNew && (isUseOfType || grant.name === on?.facts['owner'])
}
