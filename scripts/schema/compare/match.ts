import type { Catalog, CatalogObject, Kind } from '../catalog/model.ts'

/**
 * `id`: head is a clone of base, so equal ids identify the same object, also after a rename. `name`: two unrelated
 * databases; a rename is reported as a removed and an added object.
 */
export type Matching = 'id' | 'name'

/** The versions of one object in base and head. One of them is absent if the object was added or removed. */
export interface Pair {
  readonly base: CatalogObject | undefined
  readonly head: CatalogObject | undefined
}

export interface Match {
  readonly pairs: readonly Pair[]
  /** Pairs by the id in base. */
  readonly ofBase: ReadonlyMap<string, Pair>
  /** Pairs by the id in head. */
  readonly ofHead: ReadonlyMap<string, Pair>
}

/** Dropping these loses their contents, so one that is created again with the same name is another object. */
const keepsData: readonly Kind[] = ['schema', 'table', 'partitioned table', 'foreign table', 'column', 'sequence']
const routines: readonly Kind[] = ['function', 'procedure', 'aggregate', 'window function']

export function match(base: Catalog, head: Catalog, matching: Matching): Match {
  const ofBase = new Map<string, Pair>()
  const ofHead = new Map<string, Pair>()
  const pair = (one: CatalogObject, other: CatalogObject): void => {
    const both = { base: one, head: other }
    ofBase.set(one.id, both)
    ofHead.set(other.id, both)
  }

  if (matching === 'id') {
    for (const object of head.objects) {
      const same = base.byId.get(object.id)
      if (same?.kind === object.kind) pair(same, object)
    }
  }
  const [before, after] = [base.objects, head.objects]
  // Parents first: parts are matched within the pair of their parents.
  for (const depth of [0, 1, 2, 3]) {
    const left = before.filter((object) => !ofBase.has(object.id) && depthOf(base, object) === depth)
    const right = after.filter((object) => !ofHead.has(object.id) && depthOf(head, object) === depth)
    const byKey = new Map(left.map((object) => [keyOf(object, ofBase), object]))
    for (const object of right) {
      const key = keyOf(object, ofHead)
      const same = key === undefined ? undefined : byKey.get(key)
      if (same && (matching === 'name' || isSameAgain(head, object, ofHead))) pair(same, object)
    }
    pairOverloads(left.filter(({ id }) => !ofBase.has(id)), right.filter(({ id }) => !ofHead.has(id)), pair)
  }
  const removed = before.filter(({ id }) => !ofBase.has(id)).map((object): Pair => ({ base: object, head: undefined }))
  const added = after.filter(({ id }) => !ofHead.has(id)).map((object): Pair => ({ base: undefined, head: object }))
  for (const one of removed) ofBase.set(one.base!.id, one)
  for (const one of added) ofHead.set(one.head!.id, one)
  return { pairs: [...new Set(ofHead.values()), ...removed], ofBase, ofHead }
}

/** `undefined` if its parent is on one side only. A sequence is matched by its own name, regardless of its owner column. */
function keyOf(object: CatalogObject, pairs: ReadonlyMap<string, Pair>): string | undefined {
  const { kind, parent, schema, signature } = object
  if (kind === 'sequence' || parent === null) return `${kind} ${schema} ${signature}`
  const owner = pairs.get(parent)?.head
  return owner && `${kind} ${owner.id} ${signature}`
}

/** Columns of a view that is created again match the old ones; a table column that is created again is another object. */
function isSameAgain(head: Catalog, { kind, parent }: CatalogObject, ofHead: ReadonlyMap<string, Pair>): boolean {
  if (!keepsData.includes(kind)) return true
  const owner = parent === null ? undefined : head.byId.get(parent)
  return kind === 'column' && owner !== undefined && !keepsData.includes(owner.kind) && ofHead.has(owner.id)
}

/** Changing parameters drops a function and creates it again: if its name is unique on both sides, the two are matched. */
function pairOverloads(
  left: readonly CatalogObject[],
  right: readonly CatalogObject[],
  pair: (one: CatalogObject, other: CatalogObject) => void,
): void {
  const named = (all: readonly CatalogObject[], { kind, schema, name }: CatalogObject): CatalogObject[] =>
    all.filter((one) => one.kind === kind && one.schema === schema && one.name === name)
  for (const object of right.filter(({ kind }) => routines.includes(kind))) {
    const [same, ...others] = named(left, object)
    if (same && others.length === 0 && named(right, object).length === 1) pair(same, object)
  }
}

/** The number of ancestors: 1 for a column of a table, 2 for the sequence of that column, 3 for a grant on it. */
function depthOf(catalog: Catalog, { parent }: CatalogObject): number {
  const owner = parent === null ? undefined : catalog.byId.get(parent)
  return owner ? depthOf(catalog, owner) + 1 : 0
}
