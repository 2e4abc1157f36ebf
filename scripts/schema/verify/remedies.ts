import { readFile } from 'node:fs/promises'
import { fromRoot } from '../../core/paths.ts'
import type { Catalog, CatalogObject } from '../catalog/model.ts'
import { oneLine, readSchemaText, type Entry, type SchemaText } from '../dump/schema-text.ts'
import { literal, ownerName, parentOf, qualified, quote } from './names.ts'

/** Reads db/schema.sql. Its statements are the remedies for missing and different objects. */
export const readSchemaFile = async (): Promise<SchemaText> =>
  readSchemaText(await readFile(fromRoot('db', 'schema.sql'), 'utf8'))

const types: Partial<Record<CatalogObject['kind'], string>> = {
  'enum': 'TYPE',
  'composite type': 'TYPE',
  'range type': 'TYPE',
  'base type': 'TYPE',
  'partitioned table': 'TABLE',
  'foreign table': 'FOREIGN TABLE',
}

/** The entry that creates an object of the reference. For a column or an inline check, that of its table or domain. */
export function entryOf({ byKey }: SchemaText, catalog: Catalog, object: CatalogObject): Entry | undefined {
  const { kind, schema, signature, name } = object
  const parent = parentOf(catalog, object)
  const table = parent && `${parent.schema}.${parent.name}`
  switch (kind) {
    case 'constraint':
      return (
        ['CONSTRAINT', 'FK CONSTRAINT', 'CHECK CONSTRAINT'].map((type) => byKey.get(`${type} ${table} ${name}`)).find(Boolean) ??
        (parent && entryOf({ byKey } as SchemaText, catalog, parent))
      )
    case 'policy':
    case 'trigger':
    case 'rule':
      return byKey.get(`${kind.toUpperCase()} ${table} ${name}`)
    case 'column':
    case 'attribute':
    case 'enum value':
      return parent && entryOf({ byKey } as SchemaText, catalog, parent)
    case 'schema':
    case 'publication':
      return byKey.get(`${kind.toUpperCase()} -.${name}`)
    case 'published table':
      return byKey.get(`PUBLICATION TABLE ${schema}.${parent?.name} ${catalog.byId.get(object.table ?? '')?.name}`)
    default:
      return byKey.get(`${types[kind] ?? kind.toUpperCase()} ${schema}.${signature}`)
  }
}

const where = (entry: Entry | undefined): string =>
  entry ? `as in db/schema.sql:${entry.line}` : 'as its migration in db/migrations does'

/** The statement that creates the object, or the place of that statement. */
export function create(catalog: Catalog, object: CatalogObject, entry: Entry | undefined): string {
  const { kind } = object
  if (kind === 'published table') {
    const publication = parentOf(catalog, object)!
    return `ALTER PUBLICATION ${quote(publication.name)} ADD TABLE ${qualified(catalog.byId.get(object.table!)!)};`
  }
  if (!entry) return `create it ${where(entry)}`
  if (kind === 'index') return oneLine(entry.sql).replace(/^CREATE( UNIQUE)? INDEX /, 'CREATE$1 INDEX CONCURRENTLY ')
  if (kind === 'constraint' && !entry.type.endsWith('CONSTRAINT')) {
    return `add it NOT VALID ${where(entry)}, then validate it`
  }
  if (kind === 'constraint' || isOnTable(object)) return oneLine(entry.sql)
  return `create it ${where(entry)}`
}

/** The statement or instruction that restores the definition. @param object its version in the reference. */
export function replace(catalog: Catalog, object: CatalogObject, entry: Entry | undefined): string {
  if (isOnTable(object) && entry) return `BEGIN; ${drop(catalog, object)} ${oneLine(entry.sql)} COMMIT;`
  return `${object.kind === 'function' ? 'create or replace it' : 'make it'} ${where(entry)}`
}

/** The statement or instruction that removes an object that only the live database has. */
export function remove(catalog: Catalog, object: CatalogObject): string {
  if (isOnTable(object)) return drop(catalog, object)
  if (object.kind === 'index') return `DROP INDEX CONCURRENTLY ${qualified(object)}; or give it a migration: make new name=…`
  return 'drop it, or give it a migration: make new name=…'
}

const isOnTable = ({ kind }: CatalogObject): boolean => /^(policy|trigger|rule)$/.test(kind)

const drop = (catalog: Catalog, object: CatalogObject): string =>
  `DROP ${object.kind.toUpperCase()} ${quote(object.name)} ON ${ownerName(catalog, object)};`

/** The keyword for the kind of an object in COMMENT and ALTER … OWNER. */
export function sqlKind({ kind }: CatalogObject): string {
  if (/type$|^enum$/.test(kind)) return 'TYPE'
  if (kind === 'window function') return 'FUNCTION'
  return kind === 'partitioned table' ? 'TABLE' : kind.toUpperCase()
}

/** `TABLE public.apps`, `POLICY select_own ON public.apps` */
export function commentTarget(catalog: Catalog, object: CatalogObject): string {
  const { kind, name } = object
  const parent = parentOf(catalog, object)
  if (kind === 'column' || kind === 'attribute') return `COLUMN ${ownerName(catalog, object)}.${quote(name)}`
  if (kind === 'constraint' || isOnTable(object)) {
    const on = parent?.kind === 'domain' ? 'ON DOMAIN' : 'ON'
    return `${sqlKind(object)} ${quote(name)} ${on} ${ownerName(catalog, object)}`
  }
  return `${sqlKind(object)} ${qualified(object)}`
}

export const comment = (target: string, text: string): string => `COMMENT ON ${target} IS ${literal(text)};`
