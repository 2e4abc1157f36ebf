export const kinds = [
  'schema', 'extension', 'role',
  'table', 'partitioned table', 'foreign table',
  'column', 'constraint', 'index', 'trigger', 'policy', 'rule', 'statistics',
  'view', 'materialized view', 'sequence',
  'enum', 'enum value', 'domain', 'composite type', 'attribute', 'range type', 'base type',
  'function', 'procedure', 'aggregate', 'window function',
  'operator', 'cast', 'collation', 'other object',
  'publication', 'published table', 'published schema', 'event trigger',
  'grant', 'default privileges',
] as const

export type Kind = (typeof kinds)[number]

/** Name → canonical text. What an object lacks is not there. */
export type Facts = Readonly<Record<string, string>>

/** One object of a database, whoever made it; those of extensions and of PostgreSQL itself are left out. */
export interface CatalogObject {
  /** Class and number in the system's tables, `pg_class:16385` or `pg_attribute:16385.2`: a rename keeps it. */
  readonly id: string
  readonly kind: Kind
  /** `null` for what belongs to no schema. What is part of a table or type has that one's. */
  readonly schema: string | null
  /** Unqualified and unquoted; of a grant the grantee. */
  readonly name: string
  /** With the types of parameters, as pg_dump writes them; of anything but a routine or an operator the name. */
  readonly signature: string
  /** The id of what it is part of: a column's table, a grant's object. */
  readonly parent: string | null
  /** The id of the table or view whose matter it is; its own when it is one. */
  readonly table: string | null
  readonly facts: Facts
  /**
   * For facts that name other objects: what they say in object ids, so that a rename elsewhere changes the text and not
   * this. Comparable only between databases of one lineage.
   */
  readonly essences: Facts
}

export interface Catalog {
  readonly objects: readonly CatalogObject[]
  readonly byId: ReadonlyMap<string, CatalogObject>
}

/** From the least to the most. */
export const severities = ['additive', 'care', 'breaking', 'destructive'] as const
/**
 * `additive`: nobody notices. `care`: something to know or to do before it goes live. `breaking`: running code fails,
 * or somebody may do what they could not before. `destructive`: data is gone.
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

export interface Follower {
  readonly kind: Kind
  readonly object: string
}

/** What happened to one object in one section: an object that changed in both has one of each. */
export interface Change {
  readonly kind: Kind
  readonly action: Action
  readonly section: Section
  /** As head calls it, a removed one as base did: `public.apps.user_id`, `select_own on public.apps`. */
  readonly object: string
  /** What base called it, where that is not `object`. */
  readonly was: string | null
  /** Its table or view, or `null`. */
  readonly table: string | null
  /** Of a grant: on what, and to whom; its facts are the privileges. */
  readonly grant: { readonly on: Kind; readonly object: string; readonly to: string } | null
  /** All facts of what is added or removed; those that differ of what is changed; `name` first when renamed. */
  readonly facts: readonly FactChange[]
  /** The added or removed object that it came or went with, for reports that fold: `table public.apps`. */
  readonly partOf: string | null
  /** Whether it was dropped and made anew under its name. */
  readonly isRecreated: boolean
  /** Objects whose definitions name this renamed one and say nothing else new. */
  readonly followers: readonly Follower[]
  readonly severity: Severity
  /** Why, the worst first. Empty when there is nothing to say about it. */
  readonly reasons: readonly string[]
}

/** How people name an object, unique within its kind. */
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
