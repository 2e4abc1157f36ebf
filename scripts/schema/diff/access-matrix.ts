import type { Matching } from '../compare/match.ts'
import { labelOf, type Catalog, type CatalogObject } from '../catalog/model.ts'

/** One cell of the access matrix (table, role, command) that differs between base and head. */
export interface Cell {
  readonly table: string
  readonly role: string
  readonly command: Command
  readonly from: string
  readonly to: string
}

export const commands = ['select', 'insert', 'update', 'delete', 'truncate'] as const
export type Command = (typeof commands)[number]

const noAccess = '–'

/**
 * Compares the access matrices of base and head and returns the cells that differ. The cells of an added table are
 * included; those of a removed table are not.
 */
export function compareCells(base: Catalog, head: Catalog, matching: Matching): Cell[] {
  const [matrixBefore, matrixAfter] = [readMatrix(base, matching), readMatrix(head, matching)]
  const cells = [...matrixAfter].flatMap(([key, { table, access }]) => {
    const before = matrixBefore.get(key)?.access
    const roles = [...new Set([...(before?.keys() ?? []), ...access.keys()])].sort()
    return roles.flatMap((role) =>
      commands.flatMap((command): Cell[] => {
        const [from, to] = [before, access].map((one) => one?.get(role)?.get(command) ?? noAccess)
        return from === to ? [] : [{ table, role, command, from: from!, to: to! }]
      }),
    )
  })
  return cells.sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

const order = ({ table, role, command }: Cell): string => `${table} ${role} ${commands.indexOf(command)}`

/** Role → command → the rows that it reaches. */
type Access = ReadonlyMap<string, ReadonlyMap<Command, string>>

/**
 * Reads which rows of each table each role can reach, as grants and policies define it.
 *
 * @returns by object id or by label, as `matching` asks.
 */
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
    const accessOf = (role: string): ReadonlyMap<Command, string> => {
      const grantees = new Set([role, 'PUBLIC', ...(inherited.get(role)?.inheritsFrom ?? [])])
      return new Map(
        commands.flatMap((command): [Command, string][] => {
          const isGranted = (to: readonly CatalogObject[]) =>
            to.some(({ name, facts }) => grantees.has(name) && facts[command])
          const grantedColumns = columns.filter(({ id }) => isGranted(grants(id))).map(({ name }) => name)
          const isWholeTable = isGranted(grants(table.id))
          if (!isWholeTable && grantedColumns.length === 0) return []
          const ignoresPolicies = command === 'truncate' || inherited.get(role)?.bypassesRowSecurity
          const rows = ignoresPolicies ? 'all rows' : describeRows(table, own, grantees, command)
          return [[command, isWholeTable ? rows : `${rows}; columns ${grantedColumns.join(', ')}`]]
        }),
      )
    }
    const access: Access = new Map(roles.map((role) => [role, accessOf(role)]))
    return [matching === 'id' ? table.id : label, { table: label, access }] as const
  })
  return new Map(entries)
}

const apiRoles = ['anon', 'authenticated', 'service_role']

/** The rows that the policies for these grantees allow; all rows when row security is off. */
function describeRows(
  { facts }: CatalogObject,
  parts: readonly CatalogObject[],
  grantees: ReadonlySet<string>,
  command: Command,
): string {
  if (facts['row security'] !== 'on') return 'all rows'
  const policies = parts.filter(
    (one) =>
      one.kind === 'policy' &&
      [command, 'all'].includes(one.facts['command']!) &&
      one.facts['roles']!.split(', ').some((role) => grantees.has(role)),
  )
  const conditionsOf = (isPermissive: 'yes' | 'no') =>
    policies.filter((one) => one.facts['permissive'] === isPermissive).map((one) => conditionOf(one, command))
  const [permissive, restrictive] = [conditionsOf('yes'), conditionsOf('no')]
  if (permissive.length === 0) return 'no rows'
  return [permissive.join(' or '), ...restrictive].join(', and ')
}

function conditionOf({ facts: { using, check } }: CatalogObject, command: Command): string {
  const conditions = command === 'insert' ? [check ?? using] : command === 'update' ? [using, check] : [using]
  const texts = [...new Set(conditions.filter((text) => text !== undefined && text !== 'true'))]
  return texts.length === 0 ? 'all rows' : `rows where ${texts.join(' and, after the update, ')}`.replace(/\s+/g, ' ')
}

interface EffectiveRole {
  /** The roles whose privileges it has without `set role`, direct and indirect. */
  readonly inheritsFrom: ReadonlySet<string>
  readonly bypassesRowSecurity: boolean
}

function readRoles({ objects }: Catalog): Map<string, EffectiveRole> {
  const roles = new Map(objects.flatMap((one) => (one.kind === 'role' ? [[one.name, one.facts] as const] : [])))
  const groupsOf = (name: string): string[] => {
    const facts = roles.get(name) ?? {}
    if (facts['inherit'] !== 'true') return []
    return Object.entries(facts).flatMap(([fact, options]) =>
      fact.startsWith('member of ') && !options.includes('not inheriting') ? [fact.slice('member of '.length)] : [],
    )
  }
  const allGroupsOf = (name: string, found = new Set<string>()): Set<string> => {
    for (const group of groupsOf(name)) if (!found.has(group)) allGroupsOf(group, found.add(group))
    return found
  }
  return new Map(
    [...roles]
      .filter(([, facts]) => facts['superuser'] !== 'true')
      .map(([name, facts]) => [name, { inheritsFrom: allGroupsOf(name), bypassesRowSecurity: facts['bypassrls'] === 'true' }]),
  )
}
