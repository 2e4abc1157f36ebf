import type { Attribute, Drawing, Mark } from '../render/drawing.ts'
import { labelOf, type Catalog, type CatalogObject, type Change } from '../catalog/model.ts'

/**
 * Draws the changed tables, with the columns that were added, changed or removed, and the tables that a foreign key
 * connects to them. Returns `null` when no table changed.
 */
export function drawChanges(base: Catalog, head: Catalog, changes: readonly Change[]): Drawing | null {
  const marks = new Map<string, Mark>()
  for (const { kind, action, table, object, partOf } of changes) {
    if (table === null || /view$/.test(kind)) continue
    const isTable = /table$/.test(kind) && kind !== 'published table'
    if (isTable && action !== 'changed') marks.set(object, action)
    else if (!marks.has(table) && partOf === null) marks.set(table, 'changed')
  }
  // A change to a part of a view marked the view above; views are not drawn.
  for (const catalog of [base, head]) {
    for (const one of catalog.objects) if (/view$/.test(one.kind)) marks.delete(labelOf(catalog, one))
  }
  if (marks.size === 0) return null
  const [before, after] = [readKeys(base), readKeys(head)]
  const keys = new Map([...before, ...after])
  const drawn = [...keys].filter(([, { from, to }]) => marks.has(from) || marks.has(to))
  const tables = [...new Set([...marks.keys(), ...drawn.flatMap(([, { from, to }]) => [from, to])])].sort()
  return {
    boxes: tables.map((table) => ({
      table,
      mark: marks.get(table) ?? null,
      columns: changes
        .filter((one) => one.kind === 'column' && one.table === table && one.section === 'structure')
        .map(attribute),
    })),
    lines: drawn.map(([id, key]) => ({ ...key, mark: !before.has(id) ? 'added' : !after.has(id) ? 'removed' : null })),
  }
}

export interface Key {
  readonly from: string
  readonly to: string
  readonly columns: string
}

/** Reads the foreign keys, keyed by their tables and columns, so that those of base and head can be matched. */
export function readKeys(catalog: Catalog): Map<string, Key> {
  const keys = catalog.objects.flatMap((object): [string, Key][] => {
    const key = object.facts['type'] === 'foreign key' ? readKey(catalog, object) : undefined
    return key ? [[`${key.from} ${key.to} ${key.columns}`, key]] : []
  })
  return new Map(keys.sort(([a], [b]) => (a < b ? -1 : 1)))
}

// PostgreSQL quotes a name that is not a plain identifier, and doubles the quotes in it.
const name = '(?:"(?:[^"]|"")+"|[^\\s"(),.]+)'
const names = new RegExp(name, 'g')
const reference = new RegExp(`^FOREIGN KEY \\((${name}(?:, ${name})*)\\) REFERENCES (${name}(?:\\.${name})?)\\(`)

function readKey(catalog: Catalog, { parent, facts }: CatalogObject): Key | undefined {
  const table = parent === null ? undefined : catalog.byId.get(parent)
  const [, columns, to] = reference.exec(facts['definition'] ?? '') ?? []
  if (table === undefined || columns === undefined || to === undefined) return undefined
  return { from: labelOf(catalog, table), to: namesIn(to).join('.'), columns: namesIn(columns).join(', ') }
}

const namesIn = (text: string): string[] =>
  (text.match(names) ?? []).map((one) => (one.startsWith('"') ? one.slice(1, -1).replaceAll('""', '"') : one))

function attribute({ object, action, facts, was }: Change): Attribute {
  const type = facts.find(({ fact }) => fact === 'type')
  return {
    type: type?.to ?? type?.from ?? '_',
    name: object.slice(object.lastIndexOf('.') + 1),
    note: action === 'renamed' ? `renamed from ${was!.slice(was!.lastIndexOf('.') + 1)}` : action,
    mark: action,
  }
}
