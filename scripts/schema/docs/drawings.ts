import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'
import { readKeys } from '../diff/draw-changes.ts'
import type { Attribute, Drawing } from '../render/drawing.ts'

/** Draws the tables of schema public and the tables that they reference, without columns. */
export function drawAllTables(catalog: Catalog): Drawing {
  const tables = publicTables(catalog).map((table) => labelOf(catalog, table))
  const lines = allLines(catalog).filter(({ from }) => tables.includes(from))
  const all = [...new Set([...tables, ...lines.map(({ to }) => to)])].sort()
  return { boxes: all.map((table) => ({ table, mark: null, columns: [] })), lines }
}

/** Draws these tables with all columns, and the tables that a foreign key connects to them without columns. */
export function drawGroup(catalog: Catalog, names: readonly string[]): Drawing {
  const tables = publicTables(catalog).filter(({ name }) => names.includes(name))
  const labels = tables.map((table) => labelOf(catalog, table))
  const lines = allLines(catalog).filter(({ from, to }) => labels.includes(from) || labels.includes(to))
  const neighbours = [...new Set(lines.flatMap(({ from, to }) => [from, to]))].filter((one) => !labels.includes(one))
  return {
    boxes: [
      ...tables.map((table) => ({ table: labelOf(catalog, table), mark: null, columns: attributesOf(catalog, table) })),
      ...neighbours.sort().map((table) => ({ table, mark: null, columns: [] })),
    ],
    lines,
  }
}

const publicTables = ({ objects }: Catalog): CatalogObject[] =>
  objects.filter(({ kind, schema }) => kind === 'table' && schema === 'public')

const allLines = (catalog: Catalog) => [...readKeys(catalog).values()].map((key) => ({ ...key, mark: null }))

interface Key {
  readonly abbreviation: string
  readonly columns: readonly string[]
}

function attributesOf({ objects }: Catalog, { id }: CatalogObject): Attribute[] {
  const parts = objects.filter(({ parent }) => parent === id)
  const keys = parts.flatMap(({ kind, facts }): Key[] => {
    const definition = facts['definition'] ?? ''
    const [, type = '', columns = ''] = /^(PRIMARY KEY|FOREIGN KEY|UNIQUE)[^(]*\((.*?)\)/.exec(definition) ?? []
    if (kind !== 'constraint' || type === '') return []
    return [{ abbreviation: abbreviations[type]!, columns: columns.split(', ') }]
  })
  return parts
    .filter(({ kind }) => kind === 'column')
    .map(({ name, facts }) => ({
      type: facts['type'] ?? '',
      name,
      note: [...new Set(keys.filter(({ columns }) => columns.includes(name)).map(({ abbreviation }) => abbreviation))]
        .sort()
        .join(', '),
      mark: null,
    }))
}

const abbreviations: Readonly<Record<string, string>> = { 'PRIMARY KEY': 'PK', 'FOREIGN KEY': 'FK', 'UNIQUE': 'UK' }
