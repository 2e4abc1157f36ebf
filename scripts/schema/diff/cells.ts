import type { Matching } from '../compare/match.ts'
import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'

/** What a role may do with a table, where base and head differ. */
export interface Cell {
  readonly table: string
  readonly role: string
  readonly command: Command
  readonly from: string
  readonly to: string
}

export const commands = ['select', 'insert', 'update', 'delete', 'truncate'] as const
export type Command = (typeof commands)[number]

const nothing = '–'

/**
 * The access matrix as grants and policies make it, cells that differ only. What came with a new table is told; with
 * one that is gone all access went.
 */
export function compareCells(base: Catalog, head: Catalog, matching: Matching): Cell[] {
  const [was, is] = [readMatrix(base, matching), readMatrix(head, matching)]
  const cells = [...is].flatMap(([key, { table, access }]) => {
    const before = was.get(key)?.access
    const roles = [...new Set([...(before?.keys() ?? []), ...access.keys()])].sort()
    return roles.flatMap((role) =>
      commands.flatMap((command): Cell[] => {
        const [from, to] = [before, access].map((one) => one?.get(role)?.get(command) ?? nothing)
        return from === to ? [] : [{ table, role, command, from: from!, to: to! }]
      }),
    )
  })
  return cells.sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

const order = ({ table, role, command }: Cell): string => `${table} ${role} ${commands.indexOf(command)}`

/** By role and command. */
type Access = ReadonlyMap<string, ReadonlyMap<Command, string>>

export function readMatrix(catalog: Catalog, matching: Matching): Map<string, { table: string; access: Access }> {
  const parts = new Map<string, CatalogObject[]>()
  for (const object of catalog.objects) {
    if (object.parent === null) continue
    const siblings = parts.get(object.parent)
    if (siblings) siblings.push(object)
    else parts.set(object.parent, [object])
  }
  const grants = (id: string) => (parts.get(id) ?? []).filter(({ kind }) => kind === 'grant')
  const inherited = readRoles(catalog)
  const tables = catalog.objects.filter(({ kind }) => /table$|view$/.test(kind) && kind !== 'published table')
  const entries = tables.map((table) => {
    const label = labelOf(catalog, table)
    const own = parts.get(table.id) ?? []
    const columns = own.filter(({ kind }) => kind === 'column')
    const named = [...grants(table.id), ...columns.flatMap(({ id }) => grants(id))].map(({ name }) => name)
    const roles = [...new Set([...named, ...apiRoles, ...inherited.keys()])].filter(
      (role) => role !== table.facts['owner'] && role !== 'PUBLIC',
    )
    const may = (role: string): ReadonlyMap<Command, string> => {
      const as = new Set([role, 'PUBLIC', ...(inherited.get(role)?.as ?? [])])
      return new Map(
        commands.flatMap((command): [Command, string][] => {
          const has = (of: readonly CatalogObject[]) => of.some(({ name, facts }) => as.has(name) && facts[command])
          const some = columns.filter(({ id }) => has(grants(id))).map(({ name }) => name)
          const isWhole = has(grants(table.id))
          if (!isWhole && some.length === 0) return []
          const extent = isWhole ? '' : ` of ${some.join(', ')}`
          const isFree = command === 'truncate' || inherited.get(role)?.bypasses
          const rows = isFree ? 'all rows' : rowsOf(table, own, as, command)
          return [[command, `${rows}${extent}`]]
        }),
      )
    }
    const access: Access = new Map(roles.map((role) => [role, may(role)]))
    return [matching === 'id' ? table.id : label, { table: label, access }] as const
  })
  return new Map(entries)
}

const apiRoles = ['anon', 'authenticated', 'service_role']

/** Which rows: by policies, where row security is on. */
function rowsOf(
  { facts }: CatalogObject,
  parts: readonly CatalogObject[],
  as: ReadonlySet<string>,
  command: Command,
): string {
  if (facts['row security'] !== 'on') return 'all rows'
  const policies = parts.filter(
    (one) =>
      one.kind === 'policy' &&
      [command, 'all'].includes(one.facts['command']!) &&
      one.facts['roles']!.split(', ').some((role) => as.has(role)),
  )
  const said = (permissive: string) =>
    policies.filter((one) => one.facts['permissive'] === permissive).map((one) => conditionOf(one, command))
  const [open, closed] = [said('yes'), said('no')]
  if (open.length === 0) return 'no rows'
  return [open.join(' or '), ...closed].join(', and ')
}

function conditionOf({ facts: { using, check } }: CatalogObject, command: Command): string {
  const conditions = command === 'insert' ? [check ?? using] : command === 'update' ? [using, check] : [using]
  const texts = [...new Set(conditions.filter((text) => text !== undefined && text !== 'true'))]
  return texts.length === 0 ? 'all rows' : `rows where ${texts.join(' and then ')}`.replace(/\s+/g, ' ')
}

interface Standing {
  /** The roles whose rights it has without asking. */
  readonly as: ReadonlySet<string>
  readonly bypasses: boolean
}

function readRoles({ objects }: Catalog): Map<string, Standing> {
  const roles = new Map(objects.flatMap((one) => (one.kind === 'role' ? [[one.name, one.facts] as const] : [])))
  const groupsOf = (name: string): string[] => {
    const facts = roles.get(name) ?? {}
    if (facts['inherit'] !== 'true') return []
    return Object.entries(facts).flatMap(([fact, how]) =>
      fact.startsWith('member of ') && !how.includes('not inheriting') ? [fact.slice('member of '.length)] : [],
    )
  }
  const closure = (name: string, known = new Set<string>()): Set<string> => {
    for (const group of groupsOf(name)) if (!known.has(group)) closure(group, known.add(group))
    return known
  }
  return new Map(
    [...roles]
      .filter(([, facts]) => facts['superuser'] !== 'true')
      .map(([name, facts]) => [name, { as: closure(name), bypasses: facts['bypassrls'] === 'true' }]),
  )
}
