import type { CatalogObject, Facts, Kind, Severity } from '../catalog/model.ts'

/** The subject of a rule: an added or removed object, or one fact of a changed one. */
export interface Subject {
  readonly kind: Kind
  readonly name: string
  /** The facts in head, or in base if it was removed. */
  readonly facts: Facts
  /** The table, type or function that it is part of. */
  readonly parent: CatalogObject | undefined
  readonly schema: string | null
  readonly fact: string
  readonly from: string | null
  readonly to: string | null
}

type Reason = string | ((subject: Subject) => string)

/** Kinds and facts (`*`: all), severity, reason, condition. The first matching rule decides; the default is additive. */
export type Rule = readonly [
  kinds: string,
  fact: string,
  severity: Severity,
  reason: Reason,
  when?: (subject: Subject) => boolean,
]

/** A privilege as a verb phrase. */
const doing = (privilege: string): string =>
  ({ usage: 'use it', references: 'refer to it', trigger: 'put triggers on it' })[privilege] ?? privilege

const isOpen = ({ name }: Subject): boolean => /(^| to )(PUBLIC|anon)$/.test(name)
const isExposed = ({ schema }: Subject): boolean => schema === 'public'
const is = (fact: string, text: string | null) => (subject: Subject): boolean => (subject.facts[fact] ?? null) === text
const becomes = (text: string | null) => ({ to }: Subject): boolean => to === text

/** The rules for added objects, including parts of an added table or type. */
export const exposes: readonly Rule[] = [
  ['table, partitioned table', 'row security', 'breaking',
    'row security is off: every role with a privilege reaches all rows',
    (s) => isExposed(s) && s.to === 'off'],
  ['view', 'security_invoker', 'breaking',
    `it runs with its owner's rights and bypasses row security`, (s) => isExposed(s) && s.to === 'off'],
  ['materialized view', 'definition', 'care', 'row security does not apply to its rows', isExposed],
  ['function, procedure', 'security', 'breaking',
    `it runs with its owner's rights and finds names by its caller's search_path`,
    (s) => s.to === 'definer' && s.facts['search_path'] === undefined],
  ['function, procedure', 'security', 'care',
    `it runs with its owner's rights: check which roles may execute it`, becomes('definer')],
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
  ['trigger', '*', 'care', 'it fires for writes of services that do not expect it'],
  ['rule', '*', 'care', 'it changes the effect of statements'],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} can access additional rows: read its conditions`,
    is('permissive', 'yes')],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} can access only rows that it lets through`],
  ['enum value', '*', 'care', 'clients that know only the old values may get the new one'],
  ['event trigger', '*', 'care', 'it runs with every such command in the database'],
  ['setting', '*', 'care', 'new sessions run with it'],
  ['publication', '*', 'care', 'changes of rows leave the database'],
  ['published table, published schema', '*', 'care', 'its rows are sent to all subscribers, regardless of row security'],
  ['grant', '*', 'care', ({ name, fact }) => `${name} may ${doing(fact)}`],
  ['role', '*', 'care',
    ({ fact }) => `it has the rights of ${fact.replace('member of ', '')}`, ({ fact }) => fact.startsWith('member of ')],
  ...defaults,
]

export const removed: readonly Rule[] = [
  ['schema', '*', 'destructive', 'everything in it is lost'],
  ['table, partitioned table', '*', 'destructive', 'its rows are lost'],
  ['column', '*', 'destructive', 'its values are gone', ({ parent }) => /table$/.test(parent?.kind ?? '')],
  ['attribute', '*', 'destructive', 'its part of all values is lost'],
  ['sequence', '*', 'breaking', 'its current value is lost, and statements that name it fail'],
  ['constraint', '*', 'breaking', '`on conflict` on its columns fails, and duplicates are accepted',
    ({ facts }) => /primary key|unique/.test(facts['type'] ?? '')],
  ['constraint', '*', 'care', 'rows that it refused are accepted'],
  ['index', '*', 'breaking', '`on conflict` on its columns fails, and duplicates are accepted', is('unique', 'yes')],
  ['index', '*', 'care', 'queries that it served become scans'],
  ['statistics', '*', 'care', 'plans may get worse'],
  ['trigger, rule, event trigger', '*', 'care', 'its effect ends'],
  ['policy', '*', 'breaking',
    ({ facts }) => `${facts['roles']} can no longer access the rows that it let through`, is('permissive', 'yes')],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} can access the rows that it excluded`],
  ['grant', '*', 'breaking', ({ name, fact }) => `${name} may no longer ${doing(fact)}`],
  ...defaults,
  ['setting', '*', 'care', 'new sessions run with the default'],
  ['publication, published table, published schema', '*', 'breaking', 'subscribers no longer receive its changes'],
  ['*', '*', 'breaking', 'statements that name it fail'],
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
  ['*', 'owner', 'care', 'the owner has all rights, and definer functions and cascades run as the owner'],

  ['column', 'nullable', 'care', 'a write of null fails', (s) => s.to === 'no' && s.facts['default'] !== undefined],
  ['column, domain', 'nullable', 'breaking',
    'it fails where there are nulls, and so do writes without a value', becomes('no')],
  ['column, domain', 'nullable', 'care', 'readers may get a null'],
  ['column', 'default', 'breaking',
    'inserts that do not name it fail', (s) => s.to === null && s.facts['nullable'] === 'no' &&
    s.facts['identity'] === undefined && s.facts['generated'] === undefined],
  ['column, domain', 'default', 'care', 'rows that are written without it get another value'],
  ['column', 'generated', 'breaking', 'writes of it fail', ({ from }) => from === null],
  ['column', 'generated', 'breaking', 'its values are computed differently'],
  ['column', 'identity', 'breaking', 'writes of it fail', becomes('always')],
  ['column', 'identity', 'care', 'rows that are written without it get another value'],
  ['column, domain', 'collation', 'care', 'comparisons and order change'],
  ['column', 'storage, compression, statistics target, options, foreign options', 'additive', ''],
  ['attribute', 'type', 'breaking', 'running code reads and writes another type'],
  ['*', 'column order, attribute order', 'care', 'statements without a column list read other columns'],
  ['enum', 'value order', 'care', 'comparisons and order change'],

  ['*', 'row security', 'breaking',
    'row security is off: every role with a privilege reaches all rows', becomes('off')],
  ['*', 'row security', 'breaking', 'roles without a policy can no longer access any row'],
  ['*', 'forced row security', 'breaking',
    'the policies do not apply to the owner and to functions that run as the owner', becomes('off')],
  ['*', 'forced row security', 'care', 'the owner, and functions that run as the owner, are subject to the policies'],
  ['view', 'security_invoker', 'breaking', `it runs with its owner's rights and bypasses row security`, becomes('off')],
  ['view', 'security_invoker', 'breaking', 'its readers need rights of their own to what it reads'],
  ['view', 'security_barrier', 'care',
    'functions in a query see rows that the view filters out', ({ to }) => to !== 'true'],
  ['view, materialized view', 'definition', 'care', 'its readers get other rows or values'],
  ['*', 'check option', 'care', 'it accepts or refuses other writes'],
  ['table', 'persistence', 'destructive', 'its rows do not survive a crash', becomes('unlogged')],
  ['*', 'replica identity', 'care', 'subscribers receive other old values, or updates of published rows fail'],
  ['*', 'tablespace, options, toast options, clustered on, index options, index tablespace', 'additive', ''],
  ['*', 'statistics target', 'additive', ''],

  ['constraint', 'validated, index valid', 'additive', '', becomes('yes')],
  ['constraint', 'definition, enforced', 'care', 'it accepts or refuses other writes'],
  ['constraint', 'triggers', 'breaking', 'its triggers are disabled: it is not enforced', becomes('disabled')],
  ['constraint', 'deferrable', 'care', 'it is checked at another time, and `on conflict` does not accept a deferrable one'],
  ['index', 'unique', 'breaking', '`on conflict` on its columns fails, and duplicates are accepted', becomes(null)],
  ['index', 'valid', 'additive', '', becomes('yes')],
  ['index', 'valid', 'care', 'no query uses it'],
  ['index', '*', 'care', 'it serves other queries, and if it is unique, refuses other rows'],
  ['trigger, rule, event trigger', 'enabled', 'care', 'its effect ends', becomes('no')],
  ['statistics', '*', 'additive', ''],
  ['policy', 'roles', 'breaking', ({ from, to }) => `it is for ${to} and was for ${from}`],
  ['policy', '*', 'breaking', ({ facts }) => `${facts['roles']} can access other rows: read its conditions`],

  ['function, procedure', 'security', 'breaking', `it runs with its owner's rights`, becomes('definer')],
  ['function, procedure', 'security', 'breaking', 'its callers need rights of their own to what it does'],
  ['function, procedure', 'search_path', 'breaking',
    `it runs with its owner's rights and finds names by its caller's search_path`,
    (s) => s.to === null && s.facts['security'] === 'definer'],
  ['function, procedure', 'leakproof', 'breaking',
    'it may run on rows that policies and views filter out', becomes('yes')],
  ['function, procedure, aggregate, window function', 'returns', 'breaking', 'callers get another type'],
  ['function, procedure', 'cost, rows, parallel, support', 'additive', ''],
  ['function, procedure', 'body', 'care', 'its behaviour changes'],

  ['sequence', 'cache, start', 'additive', ''],
  ['operator, cast, collation, base type, range type', '*', 'breaking', 'statements that use it behave differently'],

  ['grant', '*', 'breaking',
    ({ name, fact }) => `${name} may ${doing(fact)}: that is everybody`, (s) => isOpen(s) && s.from === null],
  ['grant', '*', 'breaking', ({ name, fact }) => `${name} may no longer ${doing(fact)}`, becomes(null)],
  ['grant', '*', 'care', ({ name, fact }) => `${name} may pass on ${fact}`, becomes('with grant option')],
  ['grant', '*', 'care',
    ({ name, fact }) => `${name} may no longer pass on ${fact}`, ({ from }) => from === 'with grant option'],
  ['grant', '*', 'care', ({ name, fact }) => `${name} may ${doing(fact)}`],
  ...defaults,
  ['role', 'superuser, bypassrls', 'breaking', 'row security does not apply to it', becomes('true')],
  ['publication', 'operations', 'care', 'subscribers receive other changes'],
  ['published table', '*', 'care', 'subscribers receive other columns or rows'],
  ['*', '*', 'care', ({ fact }) => `its ${fact} changes`],
]
