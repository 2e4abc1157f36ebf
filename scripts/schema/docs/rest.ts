import { labelOf, type CatalogObject, type Kind } from '../catalog/model.ts'
import { anchor, escapeHtml } from '../render/html.ts'
import { code, entry, said, subtable, type Known } from './entry.ts'

const typeKinds: readonly Kind[] = ['enum', 'domain', 'composite type', 'range type', 'base type']
const routineKinds: readonly Kind[] = ['function', 'procedure', 'aggregate', 'window function']
/** Told with the table, view, type or schema that they are or are part of. */
const toldElsewhere: readonly Kind[] = [
  'table', 'partitioned table', 'foreign table', 'view', 'materialized view',
  'column', 'constraint', 'index', 'trigger', 'policy', 'rule', 'statistics',
  'enum value', 'attribute',
]

interface Rest {
  readonly counts: string
  readonly titles: readonly string[]
  readonly sections: readonly string[]
}

/** All that is no table or view, nor a part of one. */
export function restOf(known: Known, schemas: readonly string[]): Rest {
  const { catalog } = known
  const label = (one: CatalogObject) => labelOf(catalog, one)
  // By name: the catalog's own order is partly that in which things were made.
  const key = (one: CatalogObject) => `${one.kind} ${label(one)}`
  const ours = catalog.objects
    .filter(({ schema }) => schema === null || schemas.includes(schema))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1))
  const types = ours.filter(({ kind }) => typeKinds.includes(kind))
  const routines = ours.filter(({ kind }) => routineKinds.includes(kind))
  const told = [...typeKinds, ...routineKinds, ...toldElsewhere]
  // The grants of what is told are told with it, and so is the sequence of a column.
  const isPart = ({ kind, parent }: CatalogObject): boolean =>
    (kind === 'grant' || kind === 'sequence') && told.includes(catalog.byId.get(parent ?? '')?.kind as Kind)
  const others = ours.filter((one) => one.kind !== 'database' && !told.includes(one.kind) && !isPart(one))
  const title = 'Everything else'
  return {
    counts: `${types.length} types, ${routines.length} functions`,
    titles: [...types, ...routines].map(label).concat(title),
    sections: [
      `<h2 id="${anchor('Types and functions')}">Types and functions</h2>`,
      ...types.map((one) => entry(label(one), typeBody(one, known))),
      ...routines.map((one) => entry(label(one), routineBody(one, known))),
      entry(title, [
        subtable(
          'Objects',
          ['what', 'which', 'says'],
          others.map((one) => [escapeHtml(one.kind), code(label(one)), said(factsOf(one))]),
        ),
      ]),
    ],
  }
}

function typeBody({ id, kind, facts }: CatalogObject, { parts }: Known): string[] {
  return [
    `<p>${said(facts['comment'])}</p>`,
    `<p class="soft">${escapeHtml(kind)}${facts['type'] ? ` over ${code(facts['type'])}` : ''}</p>`,
    subtable(
      'Values',
      ['value', 'comment'],
      parts(id, 'enum value').map(({ name, facts }) => [code(name), said(facts['comment'])]),
    ),
    subtable(
      'Attributes',
      ['attribute', 'type'],
      parts(id, 'attribute').map(({ name, facts }) => [code(name), code(facts['type'])]),
    ),
    subtable(
      'Constraints',
      ['constraint', 'definition', 'comment'],
      parts(id, 'constraint').map(({ name, facts }) => [code(name), code(facts['definition']), said(facts['comment'])]),
    ),
  ]
}

function routineBody({ id, schema, name, facts }: CatalogObject, { parts }: Known): string[] {
  const callers = parts(id, 'grant')
    .map((grant) => grant.name)
    .filter((role) => role !== facts['owner'])
  const nature = `${facts['language']}, ${facts['volatility']}, security ${facts['security']}`
  return [
    `<p>${said(facts['comment'])}</p>`,
    `<p>${code(`${schema}.${name}(${facts['arguments'] ?? ''})`)} returns ${code(facts['returns'])}</p>`,
    `<p class="soft">${escapeHtml(nature)}; callable by ` +
      `${callers.length === 0 ? 'its owner only' : callers.map(code).join(', ')}</p>`,
    `<details><summary>Source</summary><pre tabindex="0">${escapeHtml((facts['body'] ?? '').trim())}</pre></details>`,
  ]
}

const factsOf = ({ facts }: CatalogObject): string =>
  Object.entries(facts)
    .map(([fact, text]) => `${fact}: ${text}`)
    .join('; ')
