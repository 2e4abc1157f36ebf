import type { Match, Pair } from './match.ts'
import type { CatalogObject, FactChange, Kind } from '../catalog/model.ts'

interface Compared {
  readonly facts: readonly FactChange[]
  /** Facts whose text changed although they refer to the same objects: another object was renamed. */
  readonly following: readonly FactChange[]
}

/**
 * Returns all facts of an added or removed object, or the differing facts of an object on both sides. `orders()` compares
 * positions.
 *
 * @param schemas names in base → names in head.
 */
export function compareFacts({ base, head }: Pair, schemas: ReadonlyMap<string, string>): Compared {
  if (!base || !head) {
    const facts = Object.entries((base ?? head)!.facts)
    return {
      facts: facts.map(([fact, text]) => ({ fact, from: base ? text : null, to: head ? text : null })),
      following: [],
    }
  }
  const names = [...new Set([...Object.keys(base.facts), ...Object.keys(head.facts)])]
  const differing = names
    .filter((fact) => fact !== 'position')
    .map((fact): FactChange => ({ fact, from: base.facts[fact] ?? null, to: head.facts[fact] ?? null }))
    .filter(({ from, to }) => from !== to)
  const isSame = ({ fact, from, to }: FactChange): boolean =>
    from !== null && to !== null && base.identityKeys[fact] !== undefined && base.identityKeys[fact] === head.identityKeys[fact]
  return {
    facts: [...renaming(base, head, schemas), ...differing.filter((fact) => !isSame(fact))],
    following: differing.filter(isSame),
  }
}

export const isName = ({ fact }: FactChange): boolean => fact === 'name' || fact === 'in schema'

/** A part moves to another schema with its parent. Grants and published tables have the names of other objects. */
function renaming(base: CatalogObject, head: CatalogObject, schemas: ReadonlyMap<string, string>): FactChange[] {
  if (base.id !== head.id || /^(grant|published|default)/.test(base.kind)) return []
  const schema = base.schema === null ? null : (schemas.get(base.schema) ?? base.schema)
  return [
    { fact: 'name', from: base.name, to: head.name },
    ...(head.parent === null ? [{ fact: 'in schema', from: schema, to: head.schema }] : []),
  ].filter(({ from, to }) => from !== to)
}

/** Whether a fact contains the old name of a renamed object in base and the new name in head. */
export function isNamedIn({ base, head }: Pair, { from, to }: FactChange): boolean {
  const names = (key: 'name' | 'schema'): boolean => {
    const [was, is] = [base?.[key] ?? '', head?.[key] ?? ''].map((name) => name.replaceAll(`'`, `''`))
    return was !== is && from!.includes(was!) && to!.includes(is!)
  }
  return names('name') || names('schema')
}

const ordered: Partial<Record<Kind, string>> = {
  'column': 'column order',
  'attribute': 'attribute order',
  'enum value': 'value order',
}

/** Ordered parts, such as columns, by side and id of the parent. */
export type Orders = ReadonlyMap<string, readonly CatalogObject[]>

/** Compares the order of the parts that both sides have. */
export function orders({ base, head }: Pair, parts: Orders, { ofBase, ofHead }: Match): FactChange[] {
  if (!base || !head) return []
  const before = (parts.get(`base ${base.id}`) ?? []).flatMap(({ id }) => ofBase.get(id)?.head ?? [])
  const after = (parts.get(`head ${head.id}`) ?? []).filter(({ id }) => ofHead.get(id)?.base)
  const [from, to] = [before, after].map((all) => all.map(({ name }) => name).join(', '))
  const [first] = after
  return from === to || !first ? [] : [{ fact: ordered[first.kind]!, from: from!, to: to! }]
}

export function readOrders(base: readonly CatalogObject[], head: readonly CatalogObject[]): Orders {
  const parts = new Map<string, CatalogObject[]>()
  for (const [side, objects] of [['base', base], ['head', head]] as const) {
    for (const object of objects) {
      if (!(object.kind in ordered)) continue
      const key = `${side} ${object.parent}`
      const all = parts.get(key)
      if (all) all.push(object)
      else parts.set(key, [object])
    }
  }
  return parts
}
