import { commands } from '../diff/cells.ts'
import { labelOf, type CatalogObject, type Facts } from '../catalog/model.ts'
import { escapeHtml } from '../render/html.ts'
import { code, entry, said, subtable, type Known } from './entry.ts'

/** A table or view: columns, rules, who may do what. */
export function tableSection(table: CatalogObject, { catalog, parts, matrix }: Known): string {
  const label = labelOf(catalog, table)
  const { facts } = table
  return entry(label, [
    `<p>${said(facts['comment'])}</p>`,
    settings(table),
    subtable(
      'Columns',
      ['column', 'type', 'null', 'default', 'comment'],
      parts(table.id, 'column').map(({ name, facts }) => [
        code(name),
        code(facts['type']),
        said(facts['nullable']),
        code(facts['default'] ?? facts['generated'] ?? (facts['identity'] && `identity ${facts['identity']}`)),
        said(facts['comment']),
      ]),
    ),
    subtable('Access', ['role', ...commands], accessOf(label, matrix)),
    subtable('Grants', ['to', 'on', 'privileges'], grantsOf(table, { parts })),
    subtable(
      'Policies',
      ['policy', 'command', 'to', 'rows seen', 'rows written', 'comment'],
      parts(table.id, 'policy').map(({ name, facts }) => [
        code(name),
        said(facts['command']) + (facts['permissive'] === 'no' ? ', restrictive' : ''),
        code(facts['roles']),
        code(facts['using']),
        code(facts['check']),
        said(facts['comment']),
      ]),
    ),
    ...(['constraint', 'index', 'trigger', 'rule', 'statistics'] as const).map((kind) =>
      subtable(
        titles[kind],
        [kind, 'definition', 'comment'],
        parts(table.id, kind).map(({ name, facts }) => [code(name), code(definitionOf(facts)), said(facts['comment'])]),
      ),
    ),
    facts['definition'] === undefined
      ? ''
      : `<h4>Definition</h4><pre tabindex="0">${escapeHtml(facts['definition'])}</pre>`,
  ])
}

const titles = {
  constraint: 'Constraints',
  index: 'Indexes',
  trigger: 'Triggers',
  rule: 'Rules',
  statistics: 'Statistics',
} as const

const definitionOf = ({ unique, definition, predicate }: Facts): string =>
  [unique && 'unique', definition, predicate && `where ${predicate}`].filter(Boolean).join(' ')

function settings({ facts }: CatalogObject): string {
  const named = ['row security', 'forced row security', 'security_invoker', 'replica identity', 'options']
  const all = named.flatMap((name) => (facts[name] === undefined ? [] : [`${name}: ${facts[name]}`]))
  return `<p class="soft">${escapeHtml(all.join(' · '))}</p>`
}

/** Those of the owner are its own. */
function grantsOf(table: CatalogObject, { parts }: Pick<Known, 'parts'>): string[][] {
  const told = (on: CatalogObject, name: string) =>
    parts(on.id, 'grant')
      .filter((grant) => grant.name !== table.facts['owner'])
      .map((grant) => [code(grant.name), name, said(Object.entries(grant.facts).map(privilege).join(', '))])
  const ofColumns = parts(table.id, 'column').flatMap((column) => told(column, `column ${code(column.name)}`))
  return [...told(table, 'the whole'), ...ofColumns]
}

const privilege = ([name, how]: [string, string]): string => (how === 'granted' ? name : `${name} (${how})`)

/** Roles that may do nothing are one row. */
function accessOf(label: string, matrix: Known['matrix']): string[][] {
  const roles = [...(matrix.get(label)?.access ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  const none = roles.filter(([, cells]) => cells.size === 0).map(([role]) => role)
  const rows = roles
    .filter(([, cells]) => cells.size > 0)
    .map(([role, cells]) => [code(role), ...commands.map((command) => said(cells.get(command) ?? '–'))])
  return none.length === 0 ? rows : [...rows, [none.map(code).join(', '), ...commands.map(() => '–')]]
}
