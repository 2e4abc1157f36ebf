import type { CatalogObject, FactChange } from '../catalog/model.ts'

/** One aspect in which an object differs, with the texts of both sides. */
export interface Aspect {
  /** Such as `type` or `not null`; empty for the whole definition. `make adopt` records the same names. */
  readonly name: string
  readonly wanted: string
  readonly found: string
}

const names: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'column': {
    ...{ 'type': 'type', 'nullable': 'not null', 'default': 'default', 'identity': 'default', 'generated': 'default' },
    ...{ 'collation': 'collation', 'storage': 'storage', 'compression': 'storage', 'statistics target': 'storage' },
    ...{ 'options': 'storage', 'foreign options': 'storage' },
  },
  'table': { 'options': 'options', 'toast options': 'options', 'replica identity': 'replica identity', 'clustered on': 'settings' },
  'index': { 'statistics target': 'settings' },
  'constraint': { 'index options': 'settings' },
  'sequence': { 'owned by': 'owned by' },
}

const aspectOf = ({ kind }: Pick<CatalogObject, 'kind'>, fact: string): string =>
  names[kind === 'partitioned table' ? 'table' : kind]?.[fact] ?? (kind === 'sequence' ? 'details' : '')

/** Groups the differing facts by aspect. findings.ts handles the facts that have separate codes. */
export function readAspects(object: Pick<CatalogObject, 'kind'>, facts: readonly FactChange[]): Aspect[] {
  const aspects = new Map<string, FactChange[]>()
  for (const fact of facts) {
    const name = aspectOf(object, fact.fact)
    aspects.set(name, [...(aspects.get(name) ?? []), fact])
  }
  return [...aspects]
    .map(([name, all]): Aspect => ({ name, wanted: textOf(object, all, 'from'), found: textOf(object, all, 'to') }))
    .filter(({ wanted, found }) => wanted !== found)
}

function textOf(object: Pick<CatalogObject, 'kind'>, facts: readonly FactChange[], side: 'from' | 'to'): string {
  const texts = facts.map((fact) => clause(object, fact.fact, fact[side])).filter((text) => text !== '')
  return texts.join('\n')
}

/** Facts whose text is clear without a label. */
const plain = /^(definition|type|default|generated|body|returns|options|replica identity|owned by|language)$/

function clause({ kind }: Pick<CatalogObject, 'kind'>, fact: string, text: string | null): string {
  if (text === null) return ''
  const inParentheses = `(${text})`
  switch (fact) {
    case 'using':
      return `USING ${inParentheses}`
    case 'check':
      return kind === 'policy' ? `WITH CHECK ${inParentheses}` : text
    case 'unique':
      return 'UNIQUE'
    case 'predicate':
      return `WHERE ${inParentheses}`
    case 'roles':
      return `TO ${text}`
    case 'nullable':
      return text === 'no' ? 'NOT NULL' : ''
    case 'identity':
      return `GENERATED ${text.toUpperCase()} AS IDENTITY`
    case 'collation':
      return `COLLATE ${text}`
    // An identity is compared as a fact of the column.
    case 'owned by':
      return text.replace(/^identity of /, '')
    default:
      return plain.test(fact) ? text : `${fact} ${text}`
  }
}
