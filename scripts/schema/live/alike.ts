import { catalogOf, keyOf, type Catalog, type CatalogObject } from '../catalog/model.ts'
import { withoutPlatform, type Reference } from '../compare/standing.ts'

export interface Sides {
  readonly reference: Reference
  readonly live: Catalog
}

/**
 * Normalises both sides: removes differences in notation that have no effect. Does not change the live database.
 */
export function makeAlike({ reference, live }: Sides): Sides {
  const found = withoutPlatform(live, reference)
  const owner = mainOwner(reference, found)
  return {
    reference: ownedBy(owner, { ...reference, catalog: withoutPlatform(reference.catalog, reference) }),
    live: catalogOf(withoutCasts(reference, found).map(withoutNullDefault)),
  }
}

/** Removes the roles from a reference, for a comparison with a schema copy, whose catalog has no roles. */
export const withoutRoles = (reference: Reference): Reference => ({
  ...reference,
  catalog: catalogOf(reference.catalog.objects.filter(({ kind }) => kind !== 'role')),
})

/** The role that owns most managed tables. The role that migrates a database owns the objects that it creates. */
function mainOwner({ catalog, managed, owner }: Reference, live: Catalog): string {
  const counts = new Map<string, number>()
  for (const object of live.objects) {
    const name = object.facts['owner']
    if (object.kind !== 'table' || name === undefined || !managed.has(keyOf(catalog, object))) continue
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const [first] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return first?.[0] ?? owner
}

/** Returns the reference as if `owner` had applied the migrations. */
function ownedBy(owner: string, reference: Reference): Reference {
  const { catalog, managed, owner: old } = reference
  if (owner === old) return reference
  const maker = (text: string): string => text.replace(` made by ${old} to `, ` made by ${owner} to `)
  const renamed = (object: CatalogObject): CatalogObject => {
    const facts = object.facts['owner'] === old ? { ...object.facts, owner } : object.facts
    if (object.kind === 'grant' && object.name === old) return { ...object, facts, name: owner, signature: owner }
    if (object.kind !== 'default privileges') return { ...object, facts }
    return { ...object, facts, name: maker(object.name), signature: maker(object.signature) }
  }
  const head = catalogOf(catalog.objects.map(renamed))
  const keys = catalog.objects.flatMap((object) =>
    managed.has(keyOf(catalog, object)) ? [keyOf(head, head.byId.get(object.id)!)] : [],
  )
  return { catalog: head, managed: new Set(keys), owner }
}

/** Removes the default `NULL::character varying`, which some table editors write if a column has no default. */
function withoutNullDefault(object: CatalogObject): CatalogObject {
  const { default: value, ...facts } = object.facts
  if (object.kind !== 'column' || value === undefined || !/^NULL(::[^()]+(\(\d+\))?)?$/.test(value)) return object
  return { ...object, facts }
}

const texts = ['definition', 'predicate', 'using', 'check']

/**
 * An adopted column may be `character varying` where the reference has `text`. That is reported for the column; the
 * expressions that use it differ only by a cast, which is removed here.
 */
function withoutCasts({ catalog, managed }: Reference, live: Catalog): readonly CatalogObject[] {
  const wanted = new Map(
    catalog.objects.flatMap((object) => {
      const key = keyOf(catalog, object)
      return object.kind === 'column' && managed.has(key) ? [[key, object.facts['type']] as const] : []
    }),
  )
  const columns = new Map<string, string[]>()
  for (const object of live.objects) {
    const isVarchar = object.kind === 'column' && /^character varying/.test(object.facts['type'] ?? '')
    if (!isVarchar || object.table === null || wanted.get(keyOf(live, object)) !== 'text') continue
    columns.set(object.table, [...(columns.get(object.table) ?? []), object.name])
  }
  if (columns.size === 0) return live.objects
  return live.objects.map((object) => {
    const names = object.table === null || object.kind === 'column' ? undefined : columns.get(object.table)
    if (!names) return object
    const cast = new RegExp(`\\(((?:old\\.|new\\.)?(?:${names.join('|')}))\\)::text`, 'g')
    const facts = Object.entries(object.facts).map(([fact, text]) => [fact, texts.includes(fact) ? text.replace(cast, '$1') : text])
    return { ...object, facts: Object.fromEntries(facts) as Record<string, string> }
  })
}
