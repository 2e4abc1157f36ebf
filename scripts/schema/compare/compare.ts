import { compareFacts, isName, isNamedIn, orders, readOrders } from './facts.ts'
import { match, type Match, type Matching, type Pair } from './match.ts'
import {
  kinds, labelOf, severities, worst,
  type Action, type Catalog, type CatalogObject, type Change, type FactChange, type Follower, type Kind, type Section,
} from '../catalog/model.ts'
import { judge, type Verdict } from './judge.ts'
import { staleBodies } from './stale.ts'

/**
 * What is different in head, in an order that does not depend on how it came about. Whatever it does not know is in
 * `remainingHunks()`.
 */
export function diffCatalogs(base: Catalog, head: Catalog, matching: Matching): Change[] {
  const sides: Sides = { base, head, matched: match(base, head, matching), matching }
  const schemas = new Map(
    sides.matched.pairs.flatMap(({ base, head }) => (base?.kind === 'schema' && head ? [[base.name, head.name]] : [])),
  )
  const compared = sides.matched.pairs.map((pair) => ({ pair, ...compareFacts(pair, schemas) }))
  const renamed = compared.filter(({ facts }) => facts.some(isName)).map(({ pair }) => pair)
  const followers = new Map(renamed.map((pair) => [pair, new Set<Pair>()]))
  const parts = readOrders(base.objects, head.objects)

  const differing = compared.map(({ pair, facts, following }) => {
    const changed = following.filter((fact) => {
      const followed = renamed.filter((one) => isNamedIn(one, fact))
      for (const one of followed) followers.get(one)!.add(pair)
      // Without a renamed object in it the text changed for a reason that ids do not show.
      return followed.length === 0
    })
    return { pair, facts: [...facts, ...changed, ...orders(pair, parts, sides.matched)] }
  })
  return differing
    .flatMap(({ pair, facts }) => {
      const following = [...(followers.get(pair) ?? [])]
        .map(({ head: one }): Follower => ({ kind: one!.kind, object: labelOf(head, one!) }))
        .sort((a, b) => (`${a.kind} ${a.object}` < `${b.kind} ${b.object}` ? -1 : 1))
      return describe(pair, facts, following, sides)
    })
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
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

function describe(pair: Pair, facts: readonly FactChange[], followers: readonly Follower[], sides: Sides): Change[] {
  const { base, head } = pair
  const stayed = base !== undefined && head !== undefined
  if ((stayed && facts.length === 0) || isImplied(pair, sides)) return []
  const [object, catalog] = head ? [head, sides.head] : [base!, sides.base]
  const parent = parentOf(catalog, object)
  const table = object.table === null ? undefined : catalog.byId.get(object.table)
  const label = labelOf(catalog, object)
  const was = base && labelOf(sides.base, base)
  const whole = whatItCameWith(pair, sides)

  return (['structure', 'access'] as const).flatMap((section): Change[] => {
    const own = facts.filter((fact) => sectionOf(object.kind, fact) === section)
    // Of what came, who owns it is not worth a change of its own; of what went, nothing is.
    const isTold = stayed
      ? own.length > 0
      : isIn(section, object.kind) || (head !== undefined && own.some(({ fact }) => fact !== 'owner'))
    if (!isTold) return []
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
      isRecreated: stayed && sides.matching === 'id' && base.id !== head.id,
      followers: action === 'renamed' ? followers : [],
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

/** The outermost object that came or went and took this one along, as kind and label. */
function whatItCameWith({ base, head }: Pair, sides: Sides): string | null {
  if (base && head) return null
  const catalog = head ? sides.head : sides.base
  const pairs = head ? sides.matched.ofHead : sides.matched.ofBase
  const cameOrWent = (id: string | null): boolean => {
    const other = id === null ? undefined : pairs.get(id)
    return other !== undefined && (!other.base || !other.head)
  }
  let top: CatalogObject | undefined
  for (let object = (head ?? base)!; ; object = top) {
    const next = [object.parent, object.table].find((id) => id !== object.id && cameOrWent(id))
    if (next === undefined || next === null) break
    top = catalog.byId.get(next)!
  }
  return top ? `${top.kind} ${labelOf(catalog, top)}` : null
}

/** What an owner has by being one, and PUBLIC's use of a new type, go without saying. */
function isImplied({ base, head }: Pair, { base: inBase, head: inHead, matched }: Sides): boolean {
  const grant = (head ?? base)!
  if (grant.kind !== 'grant' || (base && head)) return false
  const on = (head ? inHead : inBase).byId.get(grant.parent!)
  const pair = (head ? matched.ofHead : matched.ofBase).get(grant.parent!)
  const isOfNew = !pair?.base || !pair.head || pair.base.facts['owner'] !== pair.head.facts['owner']
  const isUseOfType = grant.name === 'PUBLIC' && Object.keys(grant.facts).join() === 'usage' && on?.kind !== 'schema'
  return isOfNew && (isUseOfType || grant.name === on?.facts['owner'])
}
