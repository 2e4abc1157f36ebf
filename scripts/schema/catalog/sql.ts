/** Excludes PostgreSQL's own schemas and the schema of dbmate, which changes with every migration. */
export const isSchema = (namespace: string): string =>
  `${namespace}.nspname !~ '^pg_' and ${namespace}.nspname not in ('information_schema', 'dbmate')`

/** Excludes objects of extensions (`e`); with `i` also objects that belong to a type or table. */
export const isOwn = (table: string, oid: string, of = `'e'`): string => `not exists (
    select from pg_catalog.pg_depend as own
    where own.classid = 'pg_catalog.${table}'::regclass and own.objid = ${oid} and own.deptype in (${of})
  )`

/** The parts of a query whose rows are `CatalogObject`s. */
export interface Form {
  readonly id: string
  readonly kind: string
  readonly schema: string
  readonly name: string
  readonly signature?: string
  readonly parent?: string
  readonly table?: string
  /** An SQL expression for each fact; null if the fact does not apply. */
  readonly facts: Readonly<Record<string, string>>
  readonly identityKeys?: Readonly<Record<string, string>>
  /** The rest of the query, starting with `from`. */
  readonly from: string
}

export function objects({ id, kind, schema, name, signature, parent, table, facts, identityKeys, from }: Form): string {
  return `
    select ${id} as id, ${kind} as kind, ${schema} as schema, ${name}::text as name,
      (${signature ?? name})::text as signature, ${parent ?? 'null'} as parent, ${table ?? 'null'} as "table",
      ${json(facts)} as facts, ${json(identityKeys ?? {})} as "identityKeys"
    ${from}`
}

function json(pairs: Readonly<Record<string, string>>): string {
  const list = Object.entries(pairs).map(([key, value]) => `'${key}', (${value})::text`)
  return `json_strip_nulls(json_build_object(${list.join(', ')}))`
}

/** `pg_class:16385` */
export const id = (table: string, ...numbers: readonly string[]): string =>
  `'${table}:' || ${numbers.join(` || '.' || `)}`

export const relation = (oid: string): string => `nullif(${oid}, 0)::regclass::text`
export const role = (oid: string): string => `pg_catalog.pg_get_userbyid(${oid})::text`
export const comment = (oid: string, table: string): string => `pg_catalog.obj_description(${oid}, '${table}')`
export const when = (condition: string, text: string): string => `case when ${condition} then '${text}' end`
export const list = (array: string): string =>
  `nullif(array_to_string(array(select unnest(${array}) order by 1), ', '), '')`
