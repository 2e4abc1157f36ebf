import type { Pair } from './match.ts'
import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'

/**
 * Routines of head that still say the name of what is gone or is called otherwise now. Their bodies are text, so
 * PostgreSQL lets them be, and they fail when they run. A column's name counts where its table's is said too.
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

/** What is made anew under the name does as well. */
const isNamesake = (one: CatalogObject, { kind, schema, name, parent }: CatalogObject): boolean =>
  one.kind === kind && one.schema === schema && one.name === name && one.parent === parent

const qualified =
  /^((partitioned |foreign )?table|(materialized )?view|sequence|enum|domain|composite type|function|procedure)$/

/** All that a body has to say to mean this object: with its schema, for our functions find nothing without. */
function patternsOf(object: CatalogObject, { byId }: Catalog): RegExp[] {
  const { kind, schema, name, parent } = object
  if (kind === 'schema') return [new RegExp(`(?<!\\w)${escaped(name)}\\.`)]
  if (qualified.test(kind)) return [word(`${schema}.${name}`)]
  const table = kind === 'column' && parent !== null ? byId.get(parent) : undefined
  return table ? [word(`${table.schema}.${table.name}`), word(name)] : []
}

const escaped = (text: string): string => text.replace(/[^\w\s]/g, '\\$&')
const word = (text: string): RegExp => new RegExp(`(?<!\\w)${escaped(text)}(?!\\w)`)
