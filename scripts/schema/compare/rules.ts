import type { CatalogObject, Facts, Kind, Severity } from '../catalog/model.ts'

/** What a rule looks at: an object that came or went, or one fact of one that changed. */
export interface Subject {
  readonly kind: Kind
  readonly name: string
  /** Of head, and of base when it is gone. */
  readonly facts: Facts
  /** Those of the table, type or function that it is part of. */
  readonly parent: CatalogObject | undefined
  readonly schema: string | null
  readonly fact: string
  readonly from: string | null
  readonly to: string | null
}

type Words = string | ((subject: Subject) => string)

/** What kind, which fact (`*` all), how bad and why, when. The first that fits counts; none: additive. */
export type Rule = readonly [
  kinds: string,
  fact: string,
  severity: Severity,
  reason: Words,
  when?: (subject: Subject) => boolean,
]

/** A privilege as a verb. */
const doing = (privilege: string): string =>
  ({ usage: 'use it', references: 'refer to it', trigger: 'put triggers on it' })[privilege] ?? privilege

const isOpen = ({ name }: Subject): boolean => /(^| to )(PUBLIC|anon)$/.test(name)
const isExposed = ({ schema }: Subject): boolean => schema === 'public'
const is = (fact: string, text: string | null) => (subject: Subject): boolean => (subject.facts[fact] ?? null) === text
const becomes = (text: string | null) => ({ to }: Subject): boolean => to === text

/** Of new objects, those too that come with a new table or type. */
export const exposes: readonly Rule[] = [
  ['table, partitioned table', 'row security', 'breaking',
    'row security is off: whoever is granted anything reaches all rows',
    (s) => isExposed(s) && s.to === 'off'],
  ['view', 'security_invoker', 'breaking',
    `it runs with its owner's rights, around row security`, (s) => isExposed(s) && s.to === 'off'],
  ['materialized view', 'definition', 'care', 'row security does not hold for what is in it', isExposed],
  ['function, procedure', 'security', 'breaking',
    `it runs with its owner's rights and finds names by its caller's search_path`,
    (s) => s.to === 'definer' && s.facts['search_path'] === undefined],
  ['function, procedure', 'security', 'care',
    `it runs with its owner's rights: look at who may execute it`, becomes('definer')],
  ['grant', '*', 'breaking', ({ name, fact }) => `${name} may ${doing(fact)}: that is everybody`, isOpen],
]

const defaults: readonly Rule[] = [
  ['default privileges', '*', 'care', ({ name, fact }) => `no ${fact} on later ${name}`, becomes('revoked')],
  ['default privileges', '*', 'breaking', ({ name, fact }) => `${fact} on all later ${name}: that is everybody`,
    (s) => isOpen(s) && (s.to === null) === (s.from === 'revoked')],
  ['default privileges', '*', 'care', ({ name, fact }) => `no ${fact} on later ${name}`, becomes(null)],
  ['default privileges', '*', 'care', ({ name, fact }) => `${fact} on all later ${name}`],
]

export const added: readonly Rule[] = [
  ['column', '*', 'breaking', 'it fails where there are rows, and inserts that do not name it fail', (s) =>
    s.facts['nullable'] === 'no' && !['default', 'generated', 'identity'].some((fact) => s.facts[fact] !== undefined)],
  ['attribute', '*', 'care', 'readers of the whole value get one more part'],
  ['constraint', '*', 'additive', '', is('inherited', 'yes')],
  ['constraint', '*', 'care', 'rows that were there are not checked until it is validated', is('validated', 'no')],
  ['constraint', '*', 'care', 'writes that were accepted may be refused'],
  ['index', '*', 'care', 'duplicates that were accepted are refused', is('unique', 'yes')],
  ['trigger', '*', 'care', 'it runs with writes of services that know nothing of it'],
  ['rule', '*', 'care', 'it changes what statements do'],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} reach rows that they did not: read its conditions`,
    is('permissive', 'yes')],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} no longer reach rows that it does not let through`],
  ['enum value', '*', 'care', 'clients that know only the old values meet a new one'],
  ['event trigger', '*', 'care', 'it runs with every such command in the database'],
  ['publication', '*', 'care', 'changes of rows leave the database'],
  ['published table, published schema', '*', 'care', 'its rows are sent to all subscribers, around row security'],
  ['grant', '*', 'care', ({ name, fact }) => `${name} may ${doing(fact)}`],
  ['role', '*', 'care',
    ({ fact }) => `it has what ${fact.replace('member of ', '')} has`, ({ fact }) => fact.startsWith('member of ')],
  ...defaults,
]

export const removed: readonly Rule[] = [
  ['schema', '*', 'destructive', 'all that was in it is gone'],
  ['table, partitioned table', '*', 'destructive', 'its rows are gone'],
  ['column', '*', 'destructive', 'its values are gone', ({ parent }) => /table$/.test(parent?.kind ?? '')],
  ['attribute', '*', 'destructive', 'its part of all values is gone'],
  ['sequence', '*', 'breaking', 'how far it had counted is gone, and what names it fails'],
  ['constraint', '*', 'breaking', '`on conflict` on its columns fails, and duplicates are accepted',
    ({ facts }) => /primary key|unique/.test(facts['type'] ?? '')],
  ['constraint', '*', 'care', 'rows that it refused are accepted'],
  ['index', '*', 'breaking', '`on conflict` on its columns fails, and duplicates are accepted', is('unique', 'yes')],
  ['index', '*', 'care', 'queries that it served become scans'],
  ['statistics', '*', 'care', 'plans may get worse'],
  ['trigger, rule, event trigger', '*', 'care', 'what it did is no longer done'],
  ['policy', '*', 'breaking',
    ({ facts }) => `${facts['roles']} no longer reach the rows that it let through`, is('permissive', 'yes')],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} reach the rows that it held back`],
  ['grant', '*', 'breaking', ({ name, fact }) => `${name} may no longer ${doing(fact)}`],
  ...defaults,
  ['publication, published table, published schema', '*', 'breaking', 'subscribers get no more of it'],
  ['*', '*', 'breaking', 'whatever names it fails'],
]

const renamed: readonly Rule[] = [
  ['constraint', 'name', 'breaking', 'its name is in errors, and services tell them apart by it'],
  ['index', 'name', 'care', 'its name is in errors, and services tell them apart by it', is('unique', 'yes')],
  ['trigger', 'name', 'care', 'triggers fire in the order of their names'],
  ['index, policy, rule, statistics', 'name', 'additive', ''],
  ['*', 'name', 'breaking', ({ from }) => `running code calls it ${from}`],
  ['*', 'in schema', 'breaking', ({ from }) => `running code looks for it in ${from}`],
]

export const changed: readonly Rule[] = [
  ...renamed,
  ['*', 'comment, index comment, inherited', 'additive', ''],
  ['*', 'owner', 'care', 'the owner may do everything, and definer functions and cascades run as the owner'],

  ['column', 'nullable', 'care', 'a write of null fails', (s) => s.to === 'no' && s.facts['default'] !== undefined],
  ['column, domain', 'nullable', 'breaking',
    'it fails where there are nulls, and so do writes without a value', becomes('no')],
  ['column, domain', 'nullable', 'care', 'readers may meet a null'],
  ['column', 'default', 'breaking',
    'inserts that do not name it fail', (s) => s.to === null && s.facts['nullable'] === 'no' &&
    s.facts['identity'] === undefined && s.facts['generated'] === undefined],
  ['column, domain', 'default', 'care', 'rows that are written without it get another value'],
  ['column', 'generated', 'breaking', 'writes of it fail', ({ from }) => from === null],
  ['column', 'generated', 'breaking', 'its values come from elsewhere from now on'],
  ['column', 'identity', 'breaking', 'writes of it fail', becomes('always')],
  ['column', 'identity', 'care', 'rows that are written without it get another value'],
  ['column, domain', 'collation', 'care', 'comparisons and order change'],
  ['column', 'storage, compression, statistics target, options, foreign options', 'additive', ''],
  ['attribute', 'type', 'breaking', 'running code reads and writes another type'],
  ['*', 'column order, attribute order', 'care', 'whatever goes by position reads another one'],
  ['enum', 'value order', 'care', 'comparisons and order change'],

  ['*', 'row security', 'breaking',
    'row security is off: whoever is granted anything reaches all rows', becomes('off')],
  ['*', 'row security', 'breaking', 'roles without a policy reach no rows any more'],
  ['*', 'forced row security', 'breaking',
    'the owner, and functions that run as the owner, go around the policies', becomes('off')],
  ['*', 'forced row security', 'care', 'the owner, and functions that run as the owner, are held by the policies'],
  ['view', 'security_invoker', 'breaking', `it runs with its owner's rights, around row security`, becomes('off')],
  ['view', 'security_invoker', 'breaking', 'its readers need rights of their own to what it reads'],
  ['view', 'security_barrier', 'care',
    'functions in a query see rows that the view leaves out', ({ to }) => to !== 'true'],
  ['view, materialized view', 'definition', 'care', 'its readers get other rows or values'],
  ['*', 'check option', 'care', 'writes through it are accepted or refused otherwise'],
  ['table', 'persistence', 'destructive', 'its rows do not survive a crash', becomes('unlogged')],
  ['*', 'replica identity', 'care', 'subscribers get other old values, or updates of published rows fail'],
  ['*', 'tablespace, options, toast options, clustered on, index options, index tablespace', 'additive', ''],
  ['*', 'statistics target', 'additive', ''],

  ['constraint', 'validated, index valid', 'additive', '', becomes('yes')],
  ['constraint', 'definition, enforced', 'care', 'writes are accepted or refused otherwise'],
  ['constraint', 'deferrable', 'care', 'it is checked at another moment, and `on conflict` takes no deferrable one'],
  ['index', 'unique', 'breaking', '`on conflict` on its columns fails, and duplicates are accepted', becomes(null)],
  ['index', 'valid', 'additive', '', becomes('yes')],
  ['index', 'valid', 'care', 'no query uses it'],
  ['index', '*', 'care', 'it serves other queries, and if it is unique, refuses other rows'],
  ['trigger, rule, event trigger', 'enabled', 'care', 'what it did is no longer done', becomes('no')],
  ['statistics', '*', 'additive', ''],
  ['policy', 'roles', 'breaking', ({ from, to }) => `it is for ${to} and was for ${from}`],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} reach other rows: read its conditions`],

  ['function, procedure', 'security', 'breaking', `it runs with its owner's rights`, becomes('definer')],
  ['function, procedure', 'security', 'breaking', 'its callers need rights of their own to what it does'],
  ['function, procedure', 'search_path', 'breaking',
    `it runs with its owner's rights and finds names by its caller's search_path`,
    (s) => s.to === null && s.facts['security'] === 'definer'],
  ['function, procedure', 'leakproof', 'breaking',
    'it may run on rows that policies and views leave out', becomes('yes')],
  ['function, procedure, aggregate, window function', 'returns', 'breaking', 'callers get another type'],
  ['function, procedure', 'cost, rows, parallel, support', 'additive', ''],
  ['function, procedure', 'body', 'care', 'it does something else'],

  ['sequence', 'cache, start', 'additive', ''],
  ['operator, cast, collation, base type, range type', '*', 'breaking', 'whatever uses it does something else'],

  ['grant', '*', 'breaking',
    ({ name, fact }) => `${name} may ${doing(fact)}: that is everybody`, (s) => isOpen(s) && s.from === null],
  ['grant', '*', 'breaking', ({ name, fact }) => `${name} may no longer ${doing(fact)}`, becomes(null)],
  ['grant', '*', 'care', ({ name, fact }) => `${name} may pass on ${fact}`, becomes('with grant option')],
  ['grant', '*', 'care',
    ({ name, fact }) => `${name} may no longer pass on ${fact}`, ({ from }) => from === 'with grant option'],
  ['grant', '*', 'care', ({ name, fact }) => `${name} may ${doing(fact)}`],
  ...defaults,
  ['role', 'superuser, bypassrls', 'breaking', 'row security does not hold for it', becomes('true')],
  ['publication', 'operations', 'care', 'subscribers get other changes'],
  ['published table', '*', 'care', 'subscribers get other columns or rows'],
  ['*', '*', 'care', ({ fact }) => `its ${fact} is another`],
]
