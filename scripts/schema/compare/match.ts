import { type Catalog, type CatalogObject, type Kind } from '../catalog/model.ts'

/**
 * `id`: head is a clone of base, so one id is one object whatever its name. `name`: two databases that have nothing to
 * do with each other; then a rename cannot be told from a drop and an add, and is not.
 */
export type Matching = 'id' | 'name'

/** One object as base and head have it; both, unless it was added or removed. */
export interface Pair {
  readonly base: CatalogObject | undefined
  readonly head: CatalogObject | undefined
}

export interface Match {
  readonly pairs: readonly Pair[]
  /** By the id in base. */
  readonly ofBase: ReadonlyMap<string, Pair>
  /** By the id in head. */
  readonly ofHead: ReadonlyMap<string, Pair>
}

/** What is in it is lost when it is dropped, so one made anew under its name is another one. */
const keepsData: readonly Kind[] = ['schema', 'table', 'partitioned table', 'foreign table', 'column', 'sequence']
const routines: readonly Kind[] = ['function', 'procedure', 'aggregate', 'window function']

/** What the platform has beside a project's own schemas: no matter of ours in a database that we did not make. */
export const platform = new Set([
  ...['auth', 'extensions', 'storage', 'realtime', 'vault', 'graphql', 'graphql_public', 'pgbouncer', 'pgsodium'],
  ...['supabase_functions', 'supabase_migrations', '_realtime', '_analytics', 'cron', 'net'],
])

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
  const of = (catalog: Catalog): CatalogObject[] =>
    catalog.objects.filter((object) => matching === 'id' || !isPlatform(catalog, object))
  const [before, after] = [of(base), of(head)]
  // Parents first: what they have is compared within the pair that they are.
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
  const [left, right] = [before, after]
  const gone = left.filter(({ id }) => !ofBase.has(id)).map((object): Pair => ({ base: object, head: undefined }))
  const come = right.filter(({ id }) => !ofHead.has(id)).map((object): Pair => ({ base: undefined, head: object }))
  for (const one of gone) ofBase.set(one.base!.id, one)
  for (const one of come) ofHead.set(one.head!.id, one)
  return { pairs: [...new Set(ofHead.values()), ...gone], ofBase, ofHead }
}

/** `undefined` when what it is part of has no other side. A sequence goes by its own name, whatever owns it. */
function keyOf(object: CatalogObject, pairs: ReadonlyMap<string, Pair>): string | undefined {
  const { kind, parent, schema, signature } = object
  if (kind === 'sequence' || parent === null) return `${kind} ${schema} ${signature}`
  const owner = pairs.get(parent)?.head
  return owner && `${kind} ${owner.id} ${signature}`
}

/** The columns of a view that was made anew are those of the old one; a column that was dropped is gone. */
function isSameAgain(head: Catalog, { kind, parent }: CatalogObject, ofHead: ReadonlyMap<string, Pair>): boolean {
  if (!keepsData.includes(kind)) return true
  const owner = parent === null ? undefined : head.byId.get(parent)
  return kind === 'column' && owner !== undefined && !keepsData.includes(owner.kind) && ofHead.has(owner.id)
}

/** A function whose parameters changed has to be dropped and made anew: the only one of its name is still that one. */
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

/** A column is one below its table, its sequence two, a grant on that three. */
function depthOf(catalog: Catalog, { parent }: CatalogObject): number {
  const owner = parent === null ? undefined : catalog.byId.get(parent)
  return owner ? depthOf(catalog, owner) + 1 : 0
}

/** A trigger or policy of ours may be on a table of theirs, but who reads the whole of theirs finds only noise. */
function isPlatform({ byId }: Catalog, { schema, kind, name, parent }: CatalogObject): boolean {
  const owner = parent === null ? undefined : byId.get(parent)
  const isIn = (one: string | null): boolean => one !== null && platform.has(one)
  return isIn(schema) || (kind === 'schema' && isIn(name)) || (owner?.kind === 'schema' && isIn(owner.name))
}
