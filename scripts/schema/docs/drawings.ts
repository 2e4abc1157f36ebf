import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'
import { readKeys } from '../diff/picture.ts'
import type { Attribute, Drawing } from '../render/drawing.ts'

/** The tables of schema public, by name only, and whatever they refer to. */
export function drawWhole(catalog: Catalog): Drawing {
  const tables = tablesOf(catalog).map((table) => labelOf(catalog, table))
  const lines = linesOf(catalog).filter(({ from }) => tables.includes(from))
  const all = [...new Set([...tables, ...lines.map(({ to }) => to)])].sort()
  return { boxes: all.map((table) => ({ table, mark: null, columns: [] })), lines }
}

/** Some of them with all columns, and by name only whatever a foreign key ties to them. */
export function drawGroup(catalog: Catalog, names: readonly string[]): Drawing {
  const tables = tablesOf(catalog).filter(({ name }) => names.includes(name))
  const labels = tables.map((table) => labelOf(catalog, table))
  const lines = linesOf(catalog).filter(({ from, to }) => labels.includes(from) || labels.includes(to))
  const neighbours = [...new Set(lines.flatMap(({ from, to }) => [from, to]))].filter((one) => !labels.includes(one))
  return {
    boxes: [
      ...tables.map((table) => ({ table: labelOf(catalog, table), mark: null, columns: attributesOf(catalog, table) })),
      ...neighbours.sort().map((table) => ({ table, mark: null, columns: [] })),
    ],
    lines,
  }
}

const tablesOf = ({ objects }: Catalog): CatalogObject[] =>
  objects.filter(({ kind, schema }) => kind === 'table' && schema === 'public')

const linesOf = (catalog: Catalog) => [...readKeys(catalog).values()].map((key) => ({ ...key, mark: null }))

function attributesOf({ objects }: Catalog, { id }: CatalogObject): Attribute[] {
  const parts = objects.filter(({ parent }) => parent === id)
  const keys = parts.flatMap(({ kind, facts }) => {
    const definition = facts['definition'] ?? ''
    const [, type = '', columns = ''] = /^(PRIMARY KEY|FOREIGN KEY|UNIQUE)[^(]*\((.*?)\)/.exec(definition) ?? []
    return kind === 'constraint' && type !== '' ? [{ sign: signs[type]!, columns: columns.split(', ') }] : []
  })
  return parts
    .filter(({ kind }) => kind === 'column')
    .map(({ name, facts }) => ({
      type: facts['type'] ?? '',
      name,
      note: [...new Set(keys.flatMap(({ sign, columns }) => (columns.includes(name) ? [sign] : [])))].sort().join(', '),
      mark: null,
    }))
}

const signs: Readonly<Record<string, string>> = { 'PRIMARY KEY': 'PK', 'FOREIGN KEY': 'FK', 'UNIQUE': 'UK' }
