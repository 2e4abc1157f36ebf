import { commands } from '../diff/access-matrix.ts'
import { labelOf, type CatalogObject, type Facts } from '../catalog/model.ts'
import { escapeHtml } from '../render/html.ts'
import { code, entry, plain, subtable, type RenderContext } from './entry.ts'

/** Renders a table or view: columns, access, policies, constraints and other parts. */
export function tableSection(table: CatalogObject, { catalog, parts, matrix }: RenderContext): string {
  const label = labelOf(catalog, table)
  const { facts } = table
  return entry(label, [
    `<p>${plain(facts['comment'])}</p>`,
    settings(table),
    subtable(
      'Columns',
      ['column', 'type', 'null', 'default', 'comment'],
      parts(table.id, 'column').map(({ name, facts }) => [
        code(name),
        code(facts['type']),
        plain(facts['nullable']),
        code(facts['default'] ?? facts['generated'] ?? (facts['identity'] && `identity ${facts['identity']}`)),
        plain(facts['comment']),
      ]),
    ),
    subtable('Access', ['role', ...commands], accessOf(label, matrix)),
    subtable('Grants', ['to', 'on', 'privileges'], grantsOf(table, { parts })),
    subtable(
      'Policies',
      ['policy', 'command', 'to', 'using', 'with check', 'comment'],
      parts(table.id, 'policy').map(({ name, facts }) => [
        code(name),
        plain(facts['command']) + (facts['permissive'] === 'no' ? ', restrictive' : ''),
        code(facts['roles']),
        code(facts['using']),
        code(facts['check']),
        plain(facts['comment']),
      ]),
    ),
    ...(['constraint', 'index', 'trigger', 'rule', 'statistics'] as const).map((kind) =>
      subtable(
        titles[kind],
        [kind, 'definition', 'comment'],
        parts(table.id, kind).map(({ name, facts }) => [code(name), code(definitionOf(facts)), plain(facts['comment'])]),
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

/** The owner's own privileges are left out. */
function grantsOf(table: CatalogObject, { parts }: Pick<RenderContext, 'parts'>): string[][] {
  const rowsFor = (on: CatalogObject, name: string) =>
    parts(on.id, 'grant')
      .filter((grant) => grant.name !== table.facts['owner'])
      .map((grant) => [code(grant.name), name, plain(Object.entries(grant.facts).map(privilege).join(', '))])
  const ofColumns = parts(table.id, 'column').flatMap((column) => rowsFor(column, `column ${code(column.name)}`))
  return [...rowsFor(table, 'all columns'), ...ofColumns]
}

const privilege = ([name, option]: [string, string]): string => (option === 'granted' ? name : `${name} (${option})`)

/** Roles without any access share one row. */
function accessOf(label: string, matrix: RenderContext['matrix']): string[][] {
  const roles = [...(matrix.get(label)?.access ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  const none = roles.filter(([, cells]) => cells.size === 0).map(([role]) => role)
  const rows = roles
    .filter(([, cells]) => cells.size > 0)
    .map(([role, cells]) => [code(role), ...commands.map((command) => plain(cells.get(command) ?? '–'))])
  return none.length === 0 ? rows : [...rows, [none.map(code).join(', '), ...commands.map(() => '–')]]
}
