import type { Pair } from './match.ts'
import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'

/**
 * Routines of head whose bodies contain the name of an object that was removed or renamed. PostgreSQL does not check the
 * text of a body, so they fail when they run. The name of a column counts only beside the name of its table.
 */
export function staleBodies({ base, head }: Pair, inBase: Catalog, inHead: Catalog): string[] {
  if (!base || (head && head.name === base.name && head.schema === base.schema)) return []
  const patterns = patternsOf(base, inBase)
  if (patterns.length === 0 || inHead.objects.some((one) => isNamesake(one, base))) return []
  return inHead.objects
    .filter(({ facts: { body } }) => body !== undefined && patterns.every((pattern) => pattern.test(body)))
    .map((routine) => `${routine.kind} ${labelOf(inHead, routine)}`)
    .sort()
}

/** Bodies that name the old object use a new object of the same name instead. */
const isNamesake = (one: CatalogObject, { kind, schema, name, parent }: CatalogObject): boolean =>
  one.kind === kind && one.schema === schema && one.name === name && one.parent === parent

const qualified =
  /^((partitioned |foreign )?table|(materialized )?view|sequence|enum|domain|composite type|function|procedure)$/

/** Patterns for references to the object in a body. Names are qualified, because the functions have an empty search_path. */
function patternsOf(object: CatalogObject, { byId }: Catalog): RegExp[] {
  const { kind, schema, name, parent } = object
  if (kind === 'schema') return [new RegExp(`(?<!\\w)${escaped(name)}\\.`)]
  if (qualified.test(kind)) return [word(`${schema}.${name}`)]
  const table = kind === 'column' && parent !== null ? byId.get(parent) : undefined
  return table ? [word(`${table.schema}.${table.name}`), word(name)] : []
}

const escaped = (text: string): string => text.replace(/[^\w\s]/g, '\\$&')
const word = (text: string): RegExp => new RegExp(`(?<!\\w)${escaped(text)}(?!\\w)`)
