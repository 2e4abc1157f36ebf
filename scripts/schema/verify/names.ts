import type { Catalog, CatalogObject } from '../catalog/model.ts'

/** Reserved words of PostgreSQL 15 to 18 that must be quoted as names of tables and columns. */
const reserved = new Set(
  `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create current_catalog
  current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else end except
  false fetch for foreign from grant group having in initially intersect into lateral leading limit localtime localtimestamp
  not null offset on only or order placing primary references returning select session_user some symmetric system_user table
  then to trailing true union unique user using variadic when where window with`.split(/\s+/),
)

/** An identifier as quote_ident() writes it. */
export const quote = (name: string): string =>
  /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replaceAll('"', '""')}"`

export const literal = (text: string): string =>
  text.includes('\\') ? `E'${text.replaceAll('\\', '\\\\').replaceAll(`'`, `''`)}'` : `'${text.replaceAll(`'`, `''`)}'`

export const parentOf = ({ byId }: Catalog, { parent }: CatalogObject): CatalogObject | undefined =>
  parent === null ? undefined : byId.get(parent)

/** The name of an object in a statement; for a routine with the types of its parameters. */
export function qualified({ schema, name, signature, kind }: CatalogObject): string {
  const own = /^(function|procedure|aggregate|window function)$/.test(kind) ? quote(name) + signature.slice(name.length) : quote(name)
  return schema === null ? own : `${quote(schema)}.${own}`
}

/** The name, in a statement, of the table, type or domain that an object is part of. */
export const ownerName = (catalog: Catalog, object: CatalogObject): string => {
  const parent = parentOf(catalog, object)
  return parent ? qualified(parent) : ''
}

const isOnTable = /^(policy|trigger|rule|constraint)$/

/**
 * The name of an object in a finding: `public.apps.id`, `public.apps constraint apps_pkey`, `private.name_apps(uuid[])`. `make
 * adopt` records differences under the same names.
 */
export function objectName(catalog: Catalog, object: CatalogObject): string {
  const { kind, name, signature } = object
  if (kind === 'column' || kind === 'attribute') return `${ownerName(catalog, object)}.${name}`
  if (isOnTable.test(kind)) return `${ownerName(catalog, object)} ${kind} ${name}`
  if (kind === 'enum value') return `${ownerName(catalog, object)} value ${name}`
  if (kind === 'published table') {
    const table = catalog.byId.get(object.table ?? '')
    return `${table ? qualified(table) : name} in publication ${parentOf(catalog, object)?.name}`
  }
  if (kind === 'published schema') return `schema ${name} in publication ${parentOf(catalog, object)?.name}`
  return object.schema === null ? `${kind} ${signature}` : qualified(object)
}

/** The name for messages: with the kind, unless the name contains it. */
export function labelWithKind(catalog: Catalog, object: CatalogObject): string {
  const name = objectName(catalog, object)
  return isOnTable.test(object.kind) || name.startsWith(`${object.kind} `) || object.kind.startsWith('published')
    ? name
    : `${object.kind} ${name}`
}

/** The part of a code before `_missing`, `_differs` or `_extra`. */
export function codeOf({ kind, facts }: CatalogObject): string {
  switch (kind) {
    case 'constraint':
      return { 'check': 'check', 'foreign key': 'fk_constraint' }[facts['type'] ?? ''] ?? 'constraint'
    case 'enum':
    case 'enum value':
    case 'composite type':
    case 'attribute':
    case 'range type':
    case 'base type':
      return 'type'
    case 'partitioned table':
    case 'foreign table':
      return 'table'
    case 'published table':
    case 'published schema':
      return 'publication'
    default:
      return kind.replaceAll(' ', '_')
  }
}

