import type { CatalogObject, FactChange } from '../catalog/model.ts'

/**
 * The rules for differences that a comparison of a live database with the repository ignores, each with its reason.
 * `make verify`, `make doctor` and `make diff` with a database use this list.
 *
 * All objects that the migrations created or changed are managed by this repository. No rule hides that one is missing or
 * different: the rules for objects apply to objects that only the live database has.
 */

/**
 * `managed`: reported as a difference. `foreign`: belongs neither to this repository nor to the platform; reported as
 * unknown, never as a difference. `ignored`: not reported.
 */
export type Standing = 'managed' | 'foreign' | 'ignored'

/** An object that only the live database has. */
export interface LiveObject {
  readonly object: CatalogObject
  readonly parent: CatalogObject | undefined
  /** The table or view that it is part of, or is. */
  readonly table: CatalogObject | undefined
  /** The migrations created its parent, its table or its schema. */
  readonly isPartOfManaged: boolean
  /** It is a foreign key that references a managed table. */
  readonly referencesManaged: boolean
  /** It is on a table of another owner that a managed foreign key references. */
  readonly isOnReferenced: boolean
  /** It is default privileges of the role that owns the managed tables. */
  readonly isOfOurOwner: boolean
}

export interface ObjectRule {
  readonly standing: Standing
  readonly which: string
  readonly reason: string
  readonly applies: (subject: LiveObject) => boolean
}

/** The schemas of a Supabase project, which the platform creates and changes. */
const platformSchemas: ReadonlySet<string> = new Set([
  ...['auth', 'extensions', 'storage', 'realtime', 'vault', 'graphql', 'graphql_public', 'pgbouncer', 'pgsodium'],
  ...['supabase_functions', 'supabase_migrations', '_realtime', '_analytics', 'cron', 'net', 'pgmq'],
])

const platformEventTriggers: ReadonlySet<string> = new Set([
  ...['issue_graphql_placeholder', 'issue_pg_cron_access', 'issue_pg_graphql_access', 'issue_pg_net_access'],
  ...['pgrst_ddl_watch', 'pgrst_drop_watch'],
])

export const isPlatformPublication = ({ kind, name }: CatalogObject): boolean =>
  kind === 'publication' && name.startsWith('supabase_')

const isPlatformSchema = (name: string | null | undefined): boolean => platformSchemas.has(name ?? '')

export const isPlatformObject = ({ kind, name, schema }: CatalogObject, parent: CatalogObject | undefined): boolean =>
  isPlatformSchema(schema) ||
  (kind === 'schema' && isPlatformSchema(name)) ||
  (parent?.kind === 'schema' && isPlatformSchema(parent.name))

/** The first rule that applies decides; an object without a rule is foreign. */
export const objectRules: readonly ObjectRule[] = [
  {
    standing: 'managed',
    which: 'parts of our tables and types, everything in our schemas',
    reason: 'they change what our objects do: a policy, a trigger, a grant, a column',
    applies: ({ isPartOfManaged }) => isPartOfManaged,
  },
  {
    standing: 'managed',
    which: 'foreign keys that reference our tables',
    reason: 'they keep our rows from being deleted',
    applies: ({ referencesManaged }) => referencesManaged,
  },
  {
    standing: 'managed',
    which: 'default privileges of the owner of our tables',
    reason: 'the next migration would create its objects with them',
    applies: ({ isOfOurOwner }) => isOfOurOwner,
  },
  {
    standing: 'foreign',
    which: 'triggers and rules on tables that ours reference, such as auth.users',
    reason: 'one that fails blocks sign-ups, or deletions that our rows follow',
    applies: ({ object, isOnReferenced }) => isOnReferenced && /^(trigger|rule)$/.test(object.kind),
  },
  {
    standing: 'ignored',
    which: 'the schemas of the platform, and grants on them',
    reason: 'Supabase creates and changes them with its own releases',
    applies: ({ object, parent }) => isPlatformObject(object, parent),
  },
  {
    standing: 'ignored',
    which: 'publications of the platform, and tables of others in them',
    reason: 'Realtime manages them; a table of ours in one is a part of ours, see above',
    applies: ({ object, parent }) => isPlatformPublication(object) || (parent !== undefined && isPlatformPublication(parent)),
  },
  {
    standing: 'ignored',
    which: 'event triggers of the platform',
    reason: 'every hosted project has them',
    applies: ({ object }) => object.kind === 'event trigger' && platformEventTriggers.has(object.name),
  },
  {
    standing: 'ignored',
    which: 'roles',
    reason: 'they belong to the cluster; what a role may do with our objects is reported as a grant',
    applies: ({ object }) => object.kind === 'role',
  },
  {
    standing: 'ignored',
    which: 'default privileges of other roles',
    reason: 'they do not apply to objects that a migration creates',
    applies: ({ object }) => object.kind === 'default privileges',
  },
  {
    standing: 'ignored',
    which: 'extensions',
    reason: 'no migration needs one, and the platform installs several',
    applies: ({ object }) => object.kind === 'extension',
  },
  {
    standing: 'ignored',
    which: 'settings of the database and of roles in it, grants on the database',
    reason: 'the platform and the operator set timeouts and decide who connects',
    applies: ({ object, parent }) => object.kind === 'setting' || parent?.kind === 'database',
  },
  {
    standing: 'foreign',
    which: 'grants on the schema public',
    reason: 'the platform and its older versions grant different rights there',
    applies: ({ object, parent }) => object.kind === 'grant' && parent?.kind === 'schema' && parent.name === 'public',
  },
  {
    standing: 'ignored',
    which: 'grants on other objects that are not ours',
    reason: 'the reference does not have the object to compare with',
    applies: ({ object }) => object.kind === 'grant',
  },
]

export interface FactRule {
  readonly kinds: string
  readonly facts: string
  readonly reason: string
  /** @param wanted the text in the reference. */
  readonly applies?: (wanted: string | null, found: string | null) => boolean
}

const isUnwanted = (wanted: string | null): boolean => wanted === null

/** The rules for facts of objects that both sides have. */
export const factRules: readonly FactRule[] = [
  {
    kinds: '*',
    facts: 'column order',
    reason: 'an adopted table keeps its own order; every statement of ours names its columns',
  },
  {
    kinds: '*',
    facts: 'tablespace, index tablespace',
    reason: 'where files are stored is the choice of the operator',
  },
  {
    kinds: '*',
    facts: 'comment, index comment',
    reason: 'describing an object that the migrations do not describe changes nothing',
    applies: isUnwanted,
  },
  {
    kinds: 'role',
    facts: 'settings, connection limit',
    reason: 'where the migrations set none, timeouts and limits of a role are the choice of the operator',
    applies: isUnwanted,
  },
]

export const isIgnoredFact = (kind: string, { fact }: FactChange, wanted: string | null, found: string | null): boolean =>
  factRules.some(
    ({ kinds, facts, applies }) =>
      (kinds === '*' || kinds.split(', ').includes(kind)) &&
      facts.split(', ').includes(fact) &&
      (applies?.(wanted, found) ?? true),
  )
