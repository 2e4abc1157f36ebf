import type { Action, CatalogObject, FactChange, Kind, Section, Severity } from '../catalog/model.ts'
import { added, changed, exposes, removed, type Rule, type Subject } from './rules.ts'
import { judgeType } from './type-change.ts'

export interface Verdict {
  readonly severity: Severity
  readonly reason: string
}

/** Returns a verdict for each fact that a rule applies to. */
export function judge(change: {
  readonly action: Action
  readonly section: Section
  readonly base: CatalogObject | undefined
  readonly head: CatalogObject | undefined
  readonly parent: CatalogObject | undefined
  readonly facts: readonly FactChange[]
  /** Whether it was added or removed with another object. Then only the rules in `exposes` apply. */
  readonly isPart: boolean
}): Verdict[] {
  const { action, section, base, head, parent, facts, isPart } = change
  const { kind, name, schema, facts: own } = (head ?? base)!
  const subject = (fact: FactChange): Subject => ({ kind, name, schema, parent, facts: own, ...fact })
  const exposed = action === 'added' ? facts.flatMap((fact) => verdict(exposes, subject(fact))) : []
  if (exposed.length > 0) return exposed
  if (action === 'added' || action === 'removed') {
    const isJudgedElsewhere = isPart || (section === 'access' && !isAccess(kind))
    return isJudgedElsewhere ? [] : whole(action === 'added' ? added : removed, subject, facts)
  }
  return facts.flatMap((fact) => {
    if (fact.fact === 'arguments') return judgeArguments(base!, head!)
    if ((kind === 'column' || kind === 'domain') && fact.fact === 'type') return judgeType(fact.from!, fact.to!)
    if (kind === 'role' && fact.fact.startsWith('member of ')) return judgeMembership(fact)
    return verdict(changed, subject(fact))
  })
}

const isAccess = (kind: Kind): boolean => /^(policy|grant|default privileges|role)$/.test(kind)

/** Judges each privilege of a grant and each membership of a role; any other object as a whole. */
function whole(
  rules: readonly Rule[],
  subject: (fact: FactChange) => Subject,
  facts: readonly FactChange[],
): Verdict[] {
  const [first] = facts
  const isList = /^(grant|default privileges|role)$/.test(subject(first ?? noFact).kind)
  return (isList ? facts : [first ?? noFact]).flatMap((fact) => verdict(rules, subject(fact)))
}

const noFact: FactChange = { fact: '', from: null, to: null }

function verdict(rules: readonly Rule[], subject: Subject): Verdict[] {
  const names = (list: string, name: string): boolean => list === '*' || list.split(', ').includes(name)
  const rule = rules.find(
    ([kinds, fact, , , when]) => names(kinds, subject.kind) && names(fact, subject.fact) && (when?.(subject) ?? true),
  )
  if (!rule) return []
  const [, , severity, reason] = rule
  return [{ severity, reason: typeof reason === 'string' ? reason : reason(subject) }]
}

/** `create or replace` can change parameter names and defaults. Other parameter types define another function. */
function judgeArguments(base: CatalogObject, head: CatalogObject): Verdict[] {
  return base.signature === head.signature
    ? [{ severity: 'care', reason: 'callers that name its parameters or omit them get another result' }]
    : [{ severity: 'breaking', reason: `calls of ${base.signature} fail` }]
}

function judgeMembership({ fact, to }: FactChange): Verdict[] {
  const role = fact.replace('member of ', '')
  // On PostgreSQL 16 and later a role that creates another role gets this membership in it.
  if (to?.includes('not becoming') && to.includes('not inheriting')) {
    return [{ severity: 'care', reason: `it may give ${role} to others` }]
  }
  const reason = to === null ? `it loses the rights of ${role}` : `it has the rights of ${role}: ${to}`
  return [{ severity: 'breaking', reason }]
}
