import { labelOf, type CatalogObject, type Kind } from '../diff/model.ts'
import { anchor, escapeHtml } from '../html/page.ts'
import { code, entry, said, subtable, type Known } from './entry.ts'

const shownWithTables: readonly Kind[] = [
  'table', 'partitioned table', 'foreign table', 'view', 'materialized view',
  'column', 'constraint', 'index', 'trigger', 'policy', 'rule', 'statistics',
]
/** In the matrix of their table, or the sequence of an identity, of which the column says it. */
const shownOtherwise: readonly Kind[] = ['enum value', 'attribute', 'schema']

interface Rest {
  readonly counts: string
  readonly titles: readonly string[]
  readonly sections: readonly string[]
}

/** All that is no table or view, nor a part of one. */
export function restOf({ catalog, parts }: Known, schemas: readonly string[]): Rest {
  const ours = catalog.objects.filter(({ schema }) => schema === null || schemas.includes(schema))
  const of = (...kinds: Kind[]) => ours.filter(({ kind }) => kinds.includes(kind))
  const label = (one: CatalogObject) => labelOf(catalog, one)
  const types = of('enum', 'domain', 'composite type', 'range type', 'base type')
  const routines = of('function', 'procedure', 'aggregate', 'window function')
  const isOfTable = ({ kind, parent }: CatalogObject) => parent !== null && /^(grant|sequence)$/.test(kind)
    && /table$|view$|^column$/.test(catalog.byId.get(parent)?.kind ?? '')
  const others = ours.filter(
    (one) => !types.includes(one) && !routines.includes(one)
      && ![...shownWithTables, ...shownOtherwise].includes(one.kind) && !isOfTable(one),
  )
  const other = 'Everything else'
  return {
    counts: `${types.length} types, ${routines.length} functions`,
    titles: [...types, ...routines].map(label).concat(other),
    sections: [
      `<h2 id="${anchor('Types and functions')}">Types and functions</h2>`,
      ...types.map((type) =>
        entry(label(type), [
          `<p>${said(type.facts['comment'])}</p>`,
          `<p class="soft">${escapeHtml(type.kind)}${type.facts['type'] ? ` over ${code(type.facts['type'])}` : ''}</p>`,
          subtable('Values', ['value', 'comment'], parts(type.id, 'enum value').map(({ name, facts }) => [code(name), said(facts['comment'])])),
          subtable('Attributes', ['attribute', 'type'], parts(type.id, 'attribute').map(({ name, facts }) => [code(name), code(facts['type'])])),
          subtable('Constraints', ['constraint', 'definition', 'comment'], parts(type.id, 'constraint').map(({ name, facts }) => [code(name), code(facts['definition']), said(facts['comment'])])),
        ]),
      ),
      ...routines.map((routine) => {
        const { facts } = routine
        const callers = parts(routine.id, 'grant').map(({ name }) => name).filter((name) => name !== facts['owner'])
        return entry(label(routine), [
          `<p>${said(facts['comment'])}</p>`,
          `<p>${code(`${routine.schema}.${routine.name}(${facts['arguments'] ?? ''})`)} returns ${code(facts['returns'])}</p>`,
          `<p class="soft">${escapeHtml(`${facts['language']}, ${facts['volatility']}, security ${facts['security']}`)}; callable by ${callers.length === 0 ? 'its owner only' : callers.map(code).join(', ')}</p>`,
          `<details><summary>Source</summary><pre tabindex="0">${escapeHtml((facts['body'] ?? '').trim())}</pre></details>`,
        ])
      }),
      entry(other, [
        subtable('Objects', ['what', 'which', 'says'], others.map((one) => [
          escapeHtml(one.kind),
          code(label(one)),
          said(Object.entries(one.facts).map(([fact, text]) => `${fact}: ${text}`).join('; ')),
        ])),
      ]),
    ],
  }
}
