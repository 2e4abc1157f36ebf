import { labelOf, type CatalogObject, type Kind } from '../catalog/model.ts'
import { anchor, escapeHtml } from '../render/html.ts'
import { code, entry, plain, subtable, type RenderContext } from './entry.ts'

const typeKinds: readonly Kind[] = ['enum', 'domain', 'composite type', 'range type', 'base type']
const routineKinds: readonly Kind[] = ['function', 'procedure', 'aggregate', 'window function']
/** Described in the section of a table, view or type. */
const describedElsewhere: readonly Kind[] = [
  'table', 'partitioned table', 'foreign table', 'view', 'materialized view',
  'column', 'constraint', 'index', 'trigger', 'policy', 'rule', 'statistics',
  'enum value', 'attribute',
]

interface Rest {
  readonly counts: string
  readonly titles: readonly string[]
  readonly sections: readonly string[]
}

/** Renders everything that is not a table, a view or a part of one. */
export function restOf(context: RenderContext, schemas: readonly string[]): Rest {
  const { catalog } = context
  const label = (one: CatalogObject) => labelOf(catalog, one)
  // Sorted by name: the catalog's order depends in part on the order of creation.
  const key = (one: CatalogObject) => `${one.kind} ${label(one)}`
  const own = catalog.objects
    .filter(({ schema }) => schema === null || schemas.includes(schema))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1))
  const types = own.filter(({ kind }) => typeKinds.includes(kind))
  const routines = own.filter(({ kind }) => routineKinds.includes(kind))
  const described = [...typeKinds, ...routineKinds, ...describedElsewhere]
  // Grants are described with their object, and a sequence with the column that owns it.
  const isPart = ({ kind, parent }: CatalogObject): boolean =>
    (kind === 'grant' || kind === 'sequence') && described.includes(catalog.byId.get(parent ?? '')?.kind as Kind)
  const others = own.filter((one) => one.kind !== 'database' && !described.includes(one.kind) && !isPart(one))
  const title = 'Other objects'
  return {
    counts: `${types.length} types, ${routines.length} functions`,
    titles: [...types, ...routines].map(label).concat(title),
    sections: [
      `<h2 id="${anchor('Types and functions')}">Types and functions</h2>`,
      ...types.map((one) => entry(label(one), typeBody(one, context))),
      ...routines.map((one) => entry(label(one), routineBody(one, context))),
      entry(title, [
        subtable(
          'Objects',
          ['kind', 'name', 'properties'],
          others.map((one) => [escapeHtml(one.kind), code(label(one)), plain(factsOf(one))]),
        ),
      ]),
    ],
  }
}

function typeBody({ id, kind, facts }: CatalogObject, { parts }: RenderContext): string[] {
  return [
    `<p>${plain(facts['comment'])}</p>`,
    `<p class="soft">${escapeHtml(kind)}${facts['type'] ? ` over ${code(facts['type'])}` : ''}</p>`,
    subtable(
      'Values',
      ['value', 'comment'],
      parts(id, 'enum value').map(({ name, facts }) => [code(name), plain(facts['comment'])]),
    ),
    subtable(
      'Attributes',
      ['attribute', 'type'],
      parts(id, 'attribute').map(({ name, facts }) => [code(name), code(facts['type'])]),
    ),
    subtable(
      'Constraints',
      ['constraint', 'definition', 'comment'],
      parts(id, 'constraint').map(({ name, facts }) => [code(name), code(facts['definition']), plain(facts['comment'])]),
    ),
  ]
}

function routineBody({ id, schema, name, facts }: CatalogObject, { parts }: RenderContext): string[] {
  const callers = parts(id, 'grant')
    .map((grant) => grant.name)
    .filter((role) => role !== facts['owner'])
  const properties = `${facts['language']}, ${facts['volatility']}, security ${facts['security']}`
  return [
    `<p>${plain(facts['comment'])}</p>`,
    `<p>${code(`${schema}.${name}(${facts['arguments'] ?? ''})`)} returns ${code(facts['returns'])}</p>`,
    `<p class="soft">${escapeHtml(properties)}; callable by ` +
      `${callers.length === 0 ? 'its owner only' : callers.map(code).join(', ')}</p>`,
    `<details><summary>Source</summary><pre tabindex="0">${escapeHtml((facts['body'] ?? '').trim())}</pre></details>`,
  ]
}

const factsOf = ({ facts }: CatalogObject): string =>
  Object.entries(facts)
    .map(([fact, text]) => `${fact}: ${text}`)
    .join('; ')
