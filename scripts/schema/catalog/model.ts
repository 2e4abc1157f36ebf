export const kinds = [
  'schema', 'extension', 'role',
  'table', 'partitioned table', 'foreign table',
  'column', 'constraint', 'index', 'trigger', 'policy', 'rule', 'statistics',
  'view', 'materialized view', 'sequence',
  'enum', 'enum value', 'domain', 'composite type', 'attribute', 'range type', 'base type',
  'function', 'procedure', 'aggregate', 'window function',
  'operator', 'cast', 'collation', 'other object',
  'publication', 'published table', 'published schema', 'event trigger',
  'grant', 'default privileges', 'database', 'setting',
] as const

export type Kind = (typeof kinds)[number]

/** Maps names to canonical texts. A fact that does not apply to an object is absent. */
export type Facts = Readonly<Record<string, string>>

/** One object of a database. Objects of extensions and of PostgreSQL itself are not read. */
export interface CatalogObject {
  /** Catalog and OID, `pg_class:16385` or `pg_attribute:16385.2`: a rename keeps it. */
  readonly id: string
  readonly kind: Kind
  /** `null` for an object outside schemas. A part of a table or type has its schema. */
  readonly schema: string | null
  /** Unqualified and unquoted. The name of a grant is its grantee. */
  readonly name: string
  /** The name; for a routine or an operator with the types of its parameters, as pg_dump writes them. */
  readonly signature: string
  /** The id of the object that it is part of: a column's table, a grant's object. */
  readonly parent: string | null
  /** The id of the table or view that it belongs to; its own id when it is one. */
  readonly table: string | null
  readonly facts: Facts
  /**
   * For facts that name other objects: a key that contains their OIDs. A rename of another object changes the text of
   * the fact, but not its key. Keys are comparable only between a database and its clone.
   */
  readonly identityKeys: Facts
}

export interface Catalog {
  readonly objects: readonly CatalogObject[]
  readonly byId: ReadonlyMap<string, CatalogObject>
}

/** In ascending order. */
export const severities = ['additive', 'care', 'breaking', 'destructive'] as const
/**
 * `additive`: no effect on running code. `care`: needs attention or preparation before deployment. `breaking`: running
 * code fails, or a role gains access. `destructive`: data is lost.
 */
export type Severity = (typeof severities)[number]

export const worst = (all: readonly Severity[]): Severity =>
  severities.findLast((severity) => all.includes(severity)) ?? 'additive'

export type Action = 'added' | 'removed' | 'renamed' | 'changed'
export type Section = 'structure' | 'access'

export interface FactChange {
  readonly fact: string
  readonly from: string | null
  readonly to: string | null
}

export interface Dependent {
  readonly kind: Kind
  readonly object: string
}

/** The change of one object in one section. An object that changed in both sections has two. */
export interface Change {
  readonly kind: Kind
  readonly action: Action
  readonly section: Section
  /** Its label in head, or in base if it was removed: `public.apps.user_id`, `select_own on public.apps`. */
  readonly object: string
  /** Its label in base if that differs from `object`, otherwise `null`. */
  readonly was: string | null
  /** Its table or view, or `null`. */
  readonly table: string | null
  /** For a grant: the object and the grantee. The facts are the privileges. */
  readonly grant: { readonly on: Kind; readonly object: string; readonly to: string } | null
  /** All facts of an added or removed object; the differing facts of a changed object, with `name` first if renamed. */
  readonly facts: readonly FactChange[]
  /** The object that it was added or removed with: `table public.apps`. Reports group by it. */
  readonly partOf: string | null
  /** Whether it was dropped and created again under its name. */
  readonly isRecreated: boolean
  /** Objects whose definitions differ only by the new name of this one. */
  readonly dependents: readonly Dependent[]
  readonly severity: Severity
  /** The reasons for the severity, the worst first. */
  readonly reasons: readonly string[]
}

/** Kind and label. A comparison by name matches objects of two databases that have the same key. */
export const keyOf = (catalog: Pick<Catalog, 'byId'>, object: CatalogObject): string =>
  `${object.kind} ${labelOf(catalog, object)}`

export const catalogOf = (objects: readonly CatalogObject[]): Catalog => ({
  objects,
  byId: new Map(objects.map((object) => [object.id, object])),
})

/** The name of an object in reports, unique within its kind. */
export function labelOf({ byId }: Pick<Catalog, 'byId'>, object: CatalogObject): string {
  const { kind, schema, signature, parent } = object
  const owner = parent === null ? undefined : byId.get(parent)
  const on = owner && kind !== 'sequence' ? labelOf({ byId }, owner) : undefined
  switch (kind) {
    case 'column':
    case 'attribute':
      return `${on}.${signature}`
    case 'constraint':
    case 'trigger':
    case 'policy':
    case 'rule':
      return `${signature} on ${on}`
    case 'enum value':
      return `'${signature}' of ${on}`
    case 'grant':
      return `${owner?.kind} ${on} to ${signature}`
    case 'published table':
    case 'published schema':
      return `${signature} in ${on}`
    default:
      return schema === null ? signature : `${schema}.${signature}`
  }
}
