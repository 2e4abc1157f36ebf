import type pg from 'pg'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { Failure } from '../../core/failure.ts'
import { text, word } from '../render/mermaid.ts'

interface Column {
  readonly table: string
  readonly name: string
  readonly type: string
  readonly nullable: boolean
}

interface Key {
  readonly table: string
  readonly columns: readonly string[]
}

interface UniqueKey extends Key {
  readonly primary: boolean
}

interface ForeignKey extends Key {
  readonly targetSchema: string
  readonly target: string
}

interface Catalog {
  readonly tables: readonly string[]
  readonly columns: readonly Column[]
  readonly uniqueKeys: readonly UniqueKey[]
  readonly foreignKeys: readonly ForeignKey[]
}

/** The tables of each diagram, by title. Every table of schema public is in exactly one group. */
export type TableGroups = Readonly<Record<string, readonly string[]>>

/**
 * Formats the tables of schema public as Markdown: a title and a Mermaid `erDiagram` for each group. A diagram shows key
 * columns only, and each foreign key in the group of the referencing table. Referenced tables of other groups and of
 * other schemas (`auth.users`) are boxes without columns. The same catalog gives the same text on every server.
 *
 * @throws Failure when a table is in no group or in several, or when a group names a table that does not exist.
 */
export async function erDiagrams(target: Target, groups: TableGroups): Promise<string> {
  const catalog = await withClient(target, readCatalog)
  const grouped = Object.values(groups).flat()
  const misplaced = [...new Set([...catalog.tables, ...grouped])]
    .filter((table) => !catalog.tables.includes(table) || grouped.filter((one) => one === table).length !== 1)
  if (misplaced.length > 0) {
    throw new Failure(
      `the diagram groups do not match ${target.label}: ${misplaced.join(', ')}`,
      'name every table of schema public in exactly one group, in scripts/schema/generate/files.ts',
    )
  }
  return Object.entries(groups)
    .map(([title, tables]) => `### ${title}\n\n\`\`\`mermaid\n${erDiagram(catalog, tables)}\n\`\`\`\n`)
    .join('\n')
}

function erDiagram(catalog: Catalog, tables: readonly string[]): string {
  const foreignKeys = catalog.foreignKeys.filter(({ table }) => tables.includes(table))
  const foreignTables = foreignKeys
    .filter(({ targetSchema }) => targetSchema !== 'public')
    .map((key) => `${entity(key)}["${key.targetSchema}.${key.target}"]`)

  return [
    'erDiagram',
    ...[...new Set(foreignTables)].sort().map((box) => `  ${box}`),
    ...tables.flatMap((table) => [
      `  ${quoted(table)} {`,
      ...attributes(catalog, table).map((attribute) => `    ${attribute}`),
      '  }',
    ]),
    ...foreignKeys.map((key) => `  ${relationship(catalog, key)}`),
  ].join('\n')
}

/**
 * Replaces the text between `<!-- generated:name -->` and `<!-- /generated:name -->`.
 *
 * @throws Failure when a marker is missing.
 */
export function replaceSection(markdown: string, name: string, body: string): string {
  const opening = `<!-- generated:${name} -->`
  const closing = `<!-- /generated:${name} -->`
  const start = markdown.indexOf(opening)
  const end = markdown.indexOf(closing, start)
  if (start < 0 || end < 0) {
    throw new Failure(`the section ${opening} … ${closing} is missing`, 'add both markers, each on a separate line')
  }
  return `${markdown.slice(0, start + opening.length)}\n${body.trim()}\n${markdown.slice(end)}`
}

function attributes({ columns, uniqueKeys, foreignKeys }: Catalog, table: string): string[] {
  const ofTable = (of: { readonly table: string }) => of.table === table
  const primary = uniqueKeys.find((key) => ofTable(key) && key.primary)
  // A key that contains the primary key adds no restriction: it exists as the target of composite foreign keys.
  const unique = uniqueKeys.filter((key) => ofTable(key) && !(primary && covers(key, primary)))
  return columns.filter(ofTable).flatMap(({ name, type }) => {
    const has = (key: Key) => key.columns.includes(name)
    const marks = [
      ...(primary !== undefined && has(primary) ? ['PK'] : []),
      ...(foreignKeys.some((key) => ofTable(key) && has(key)) ? ['FK'] : []),
      ...(unique.some(has) ? ['UK'] : []),
    ]
    if (marks.length === 0) return []
    // A mark alone would mean that the column is unique by itself, so a composite key is written out.
    const composite = unique
      .filter((key) => has(key) && key.columns.length > 1)
      .map((key) => `unique (${key.columns.join(', ')})`)
    const comment = composite.length > 0 ? ` "${text(composite.join('; '))}"` : ''
    return [`${word(type)} ${word(name)} ${marks.join(', ')}${comment}`]
  })
}

/** A foreign key: the referenced table, the cardinalities, the referencing table. */
function relationship({ columns, uniqueKeys }: Catalog, key: ForeignKey): string {
  const own = columns.filter(({ table, name }) => table === key.table && key.columns.includes(name))
  const isOptional = own.some(({ nullable }) => nullable)
  const isOneToOne = uniqueKeys.some((unique) => unique.table === key.table && covers(key, unique))
  const cardinality = `${isOptional ? '|o' : '||'}--${isOneToOne ? 'o|' : 'o{'}`
  return `${entity(key)} ${cardinality} ${quoted(key.table)} : "${text(key.columns.join(', '))}"`
}

const covers = (outer: Key, inner: Key): boolean => inner.columns.every((column) => outer.columns.includes(column))

/** The referenced table. A Mermaid name cannot contain a dot, so a table of another schema gets an alias. */
const entity = ({ targetSchema, target }: ForeignKey): string =>
  quoted(targetSchema === 'public' ? target : `${targetSchema}_${target}`)

// Mermaid requires quotes around keywords and names that are not plain words.
const keywords = /^(class|classdef|end|erdiagram|many|one|style|subgraph|title|to)$/i

const quoted = (name: string): string =>
  /^[a-z_]\w*$/i.test(name) && !keywords.test(name) ? name : `"${text(name).replace(/[%\\]/g, '_')}"`

async function readCatalog(client: pg.Client): Promise<Catalog> {
  const tables = await client.query<{ table: string }>(
    `select c.relname as table
     from pg_class c
     where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
     order by c.relname`,
  )
  const columns = await client.query<Column>(
    `select c.relname as table, a.attname as name, not a.attnotnull as nullable,
       case t.typname
         when 'int2' then 'smallint' when 'int4' then 'int' when 'int8' then 'bigint' when 'bool' then 'boolean'
         else regexp_replace(t.typname, '^_(.*)$', '\\1[]')
       end as type
     from pg_attribute a
     join pg_class c on c.oid = a.attrelid
     join pg_type t on t.oid = a.atttypid
     where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
     order by c.relname, a.attnum`,
  )
  const uniqueKeys = await client.query<UniqueKey>(
    `select c.relname as table, i.indisprimary as primary,
       ${names('i.indrelid', 'i.indkey[0:i.indnkeyatts - 1]')} as columns
     from pg_index i
     join pg_class c on c.oid = i.indrelid
     join pg_class x on x.oid = i.indexrelid
     where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
       and i.indisunique and i.indpred is null and i.indexprs is null
     order by c.relname, x.relname`,
  )
  const foreignKeys = await client.query<ForeignKey>(
    `select c.relname as table, ${names('f.conrelid', 'f.conkey')} as columns,
       n.nspname as "targetSchema", t.relname as target
     from pg_constraint f
     join pg_class c on c.oid = f.conrelid
     join pg_class t on t.oid = f.confrelid
     join pg_namespace n on n.oid = t.relnamespace
     where f.contype = 'f' and c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
     order by c.relname, n.nspname, t.relname, f.conname`,
  )
  return {
    tables: tables.rows.map(({ table }) => table),
    columns: columns.rows,
    uniqueKeys: uniqueKeys.rows,
    foreignKeys: foreignKeys.rows,
  }
}

/** SQL for an array of column names, in the order of the given column numbers. */
const names = (table: string, numbers: string): string =>
  `array(
     select a.attname::text
     from unnest(${numbers}::int2[]) with ordinality as k (attnum, position)
     join pg_attribute a on a.attrelid = ${table} and a.attnum = k.attnum
     order by k.position
   )`
