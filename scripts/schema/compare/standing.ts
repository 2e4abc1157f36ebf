import { catalogOf, keyOf, labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'
import { isPlatformObject, isPlatformPublication, objectRules, type Standing } from './ignored.ts'

/** The schema that results from applying the migrations to an empty database of the platform. */
export interface Reference {
  readonly catalog: Catalog
  /** `keyOf()` of each object that the migrations created or changed. */
  readonly managed: ReadonlySet<string>
  /** Owns the objects of the migrations. */
  readonly owner: string
}

/** @param on whether only the live database has the object, both, or only the reference. */
export type StandingOf = (object: CatalogObject, on: 'live' | 'both' | 'reference') => Standing

export function standings({ catalog: reference, managed, owner }: Reference, live: Catalog): StandingOf {
  const referenced = referencedTables(reference, managed)
  const isManaged = (catalog: Catalog, id: string | null): boolean => {
    const object = id === null ? undefined : catalog.byId.get(id)
    return object !== undefined && managed.has(keyOf(catalog, object))
  }
  const liveStanding = (object: CatalogObject): Standing => {
    const parent = object.parent === null ? undefined : live.byId.get(object.parent)
    const table = object.table === null ? undefined : live.byId.get(object.table)
    const references = referenceOf(object)
    const subject = {
      object,
      parent,
      table,
      isPartOfManaged:
        isManaged(live, object.parent) || isManaged(live, object.table) || managed.has(`schema ${object.schema}`),
      referencesManaged: references !== undefined && managed.has(`table ${references}`),
      isOnReferenced: table !== undefined && referenced.has(keyOf(live, table)),
      isOfOurOwner: object.kind === 'default privileges' && object.name.includes(` made by ${owner} to `),
    }
    return objectRules.find(({ applies }) => applies(subject))?.standing ?? 'foreign'
  }
  return (object, on) => {
    if (on === 'live') return liveStanding(object)
    if (!managed.has(keyOf(reference, object))) return 'ignored'
    return on === 'reference' && isPublishedElsewhere(object, reference, live) ? 'ignored' : 'managed'
  }
}

/**
 * A migration adds a table to a publication of the platform if the publication exists and does not already publish all
 * tables or those of the schema. In these cases the publication need not list the table.
 */
function isPublishedElsewhere({ kind, parent, schema }: CatalogObject, reference: Catalog, live: Catalog): boolean {
  const publication = parent === null ? undefined : reference.byId.get(parent)
  if (kind !== 'published table' || !publication || !isPlatformPublication(publication)) return false
  const other = live.objects.find((one) => one.kind === 'publication' && one.name === publication.name)
  if (!other || other.facts['all tables'] === 'yes') return true
  return live.objects.some((one) => one.kind === 'published schema' && one.parent === other.id && one.name === schema)
}

/** The keys of the tables that managed foreign keys reference. */
function referencedTables(reference: Catalog, managed: ReadonlySet<string>): ReadonlySet<string> {
  const tables = reference.objects.flatMap((object) => {
    const name = managed.has(keyOf(reference, object)) ? referenceOf(object) : undefined
    return name === undefined || managed.has(`table ${name}`) ? [] : [`table ${name}`]
  })
  return new Set(tables)
}

/** The table that a foreign key references, such as `public.apps`. */
const referenceOf = ({ kind, facts }: CatalogObject): string | undefined =>
  kind === 'constraint'
    ? /^FOREIGN KEY .*? REFERENCES (\S+)\(/.exec(facts['definition'] ?? '')?.[1]?.replaceAll('"', '')
    : undefined

/**
 * Removes the objects in the schemas of the platform from a catalog, because there are thousands. Objects that the
 * migrations created there, or that a rule applies to, are kept together with the objects that they are part of.
 */
export function withoutPlatform(catalog: Catalog, { catalog: reference, managed }: Reference): Catalog {
  const kept = new Set(referencedTables(reference, managed))
  for (const object of reference.objects) {
    if (!managed.has(keyOf(reference, object))) continue
    for (const id of [object.parent, object.table]) {
      for (let one = reference.byId.get(id ?? ''); one; one = reference.byId.get(one.parent ?? '')) {
        kept.add(keyOf(reference, one))
      }
    }
  }
  const isKept = (object: CatalogObject): boolean => {
    const parent = catalog.byId.get(object.parent ?? '')
    if (!isPlatformObject(object, parent)) return true
    const key = keyOf(catalog, object)
    const isOnKept = /^(trigger|rule|constraint)$/.test(object.kind) && parent !== undefined && kept.has(keyOf(catalog, parent))
    return kept.has(key) || managed.has(key) || isOnKept
  }
  return catalogOf(catalog.objects.filter(isKept))
}

/** The keys of the objects that were added or changed between two snapshots of one database. */
export function changedObjects(before: Catalog, after: Catalog): ReadonlySet<string> {
  const isSame = (one: CatalogObject, other: CatalogObject | undefined): boolean =>
    other !== undefined &&
    labelOf(before, other) === labelOf(after, one) &&
    Object.keys({ ...one.facts, ...other.facts }).every((fact) => one.facts[fact] === other.facts[fact])
  return new Set(
    after.objects.filter((object) => !isSame(object, before.byId.get(object.id))).map((object) => keyOf(after, object)),
  )
}

/**
 * For a comparison of two live databases, without a reference that shows which objects are managed: removes the objects of
 * the platform, logins, and default privileges of roles other than `owner`.
 */
export function withoutIgnored(catalog: Catalog, owner: string): Catalog {
  const isCompared = (object: CatalogObject): boolean => {
    const parent = catalog.byId.get(object.parent ?? '')
    if (isPlatformObject(object, parent) || isPlatformPublication(object)) return false
    if (parent && isPlatformPublication(parent)) return false
    if (object.kind === 'role') return object.facts['login'] !== 'true'
    return object.kind !== 'default privileges' || object.name.includes(` made by ${owner} to `)
  }
  return catalogOf(catalog.objects.filter(isCompared))
}
