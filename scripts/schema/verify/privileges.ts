import type { Catalog, CatalogObject, FactChange } from '../catalog/model.ts'
import type { LiveDifference } from '../live/compare-live.ts'
import { parentOf, qualified, quote } from './names.ts'

/** The differing privileges of one role on one object. Column privileges contain the column: `SELECT(encrypted_token)`. */
export interface PrivilegeDifference {
  /** `TABLE public.apps`, `DEFAULT IN SCHEMA public ON TABLES` */
  readonly object: string
  readonly grantee: string
  readonly missing: readonly string[]
  readonly extra: readonly string[]
  /** Column privileges that the migrations grant and that revoking an extra table privilege would also revoke. */
  readonly takenAlong: readonly string[]
  readonly isForeign: boolean
}

const grantOption = 'GRANT OPTION FOR '

/** Returns the differences in grants and default privileges. Those on the columns of a table belong to the table. */
export function privilegeDifferences(differences: readonly LiveDifference[], reference: Catalog, live: Catalog): PrivilegeDifference[] {
  const found = new Map<string, { missing: string[]; extra: string[]; isForeign: boolean }>()
  for (const { pair, facts, standing, outermost } of differences) {
    // A missing or extra object and its grants are one finding.
    if (outermost) continue
    const object = (pair.head ?? pair.base)!
    const read = object.kind === 'default privileges' ? readDefault : object.kind === 'grant' ? readGrant : undefined
    if (!read) continue
    const catalog = pair.head ? live : reference
    const { key, column } = read(catalog, object)
    const known = found.get(key) ?? { missing: [], extra: [], isForeign: false }
    found.set(key, known)
    known.isForeign ||= standing === 'foreign'
    for (const fact of facts) {
      const name = `${fact.fact.toUpperCase()}${column === undefined ? '' : `(${quote(column)})`}`
      const [should, does] = [holds(fact, 'from'), holds(fact, 'to')]
      if (should.has && !does.has) known.missing.push(name)
      if (!should.has && does.has) known.extra.push(name)
      if (should.isGrantable && !does.isGrantable) known.missing.push(grantOption + name)
      if (!should.isGrantable && does.isGrantable) known.extra.push(grantOption + name)
    }
  }
  const wanted = wantedOnColumns(reference)
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { missing, extra, isForeign }]) => {
    const [object = '', grantee = ''] = key.split('\n')
    const takenAlong = (wanted.get(key) ?? []).filter((one) => extra.some((whole) => one.startsWith(`${whole}(`)))
    return { object, grantee, missing, extra, takenAlong, isForeign }
  })
}

/** Without an entry PostgreSQL's own default applies: if the other side revokes the privilege, this side has it. */
function holds(fact: FactChange, side: 'from' | 'to'): { has: boolean; isGrantable: boolean } {
  const [text, other] = side === 'from' ? [fact.from, fact.to] : [fact.to, fact.from]
  const has = text === null ? other === 'revoked' : text !== 'revoked'
  return { has, isGrantable: text === 'with grant option' }
}

interface Granted {
  readonly key: string
  readonly column?: string
}

const granteeName = (name: string): string => (name === 'PUBLIC' ? name : quote(name))

function readGrant(catalog: Catalog, grant: CatalogObject): Granted {
  const on = parentOf(catalog, grant)!
  const to = granteeName(grant.name)
  const table = on.kind === 'column' ? parentOf(catalog, on) : undefined
  if (table) return { key: `TABLE ${qualified(table)}\n${to}`, column: on.name }
  return { key: `${kindOf(on)} ${qualified(on)}\n${to}` }
}

function kindOf({ kind }: CatalogObject): string {
  if (/table$|view$/.test(kind)) return 'TABLE'
  if (/type$|^enum$|^domain$/.test(kind)) return 'TYPE'
  return /^(aggregate|window function)$/.test(kind) ? 'FUNCTION' : kind.toUpperCase()
}

/** `tables in public made by postgres to anon` */
function readDefault(_: Catalog, { name }: CatalogObject): Granted {
  const [, what = '', schema, , to = ''] = /^(\S+)(?: in (.*?))? made by (.*) to (.*)$/.exec(name) ?? []
  return { key: `DEFAULT ${schema === undefined ? '' : `IN SCHEMA ${quote(schema)} `}ON ${what.toUpperCase()}\n${granteeName(to)}` }
}

function wantedOnColumns(reference: Catalog): ReadonlyMap<string, string[]> {
  const wanted = new Map<string, string[]>()
  for (const object of reference.objects) {
    if (object.kind !== 'grant' || parentOf(reference, object)?.kind !== 'column') continue
    const { key, column } = readGrant(reference, object)
    const names = Object.keys(object.facts).map((privilege) => `${privilege.toUpperCase()}(${quote(column!)})`)
    wanted.set(key, [...(wanted.get(key) ?? []), ...names])
  }
  return wanted
}

/** The statements that revoke extra privileges and grant missing ones. */
export function statements({ object, grantee, missing, extra, takenAlong }: Omit<PrivilegeDifference, 'isForeign'>): string {
  const [, scope, on] = /^DEFAULT (.*)ON (.+)$/.exec(object) ?? []
  const head = on === undefined ? '' : `ALTER DEFAULT PRIVILEGES ${scope}`
  const plain = extra.filter((privilege) => !privilege.startsWith(grantOption))
  // Revoking a privilege revokes its grant option.
  const revoked = [...plain, ...plain.map((privilege) => grantOption + privilege)]
  const options = extra.filter((privilege) => !revoked.includes(privilege))
  const granted = [...missing.filter((privilege) => !privilege.startsWith(grantOption)), ...(plain.length > 0 ? takenAlong : [])]
  const grantable = missing.filter((privilege) => privilege.startsWith(grantOption)).map((one) => one.slice(grantOption.length))
  return [
    ...(plain.length > 0 ? [`${head}REVOKE ${plain.join(', ')} ON ${on ?? object} FROM ${grantee};`] : []),
    ...options.map((option) => `${head}REVOKE ${option} ON ${on ?? object} FROM ${grantee};`),
    ...(granted.length > 0 ? [`${head}GRANT ${granted.join(', ')} ON ${on ?? object} TO ${grantee};`] : []),
    ...(grantable.length > 0 ? [`${head}GRANT ${grantable.join(', ')} ON ${on ?? object} TO ${grantee} WITH GRANT OPTION;`] : []),
  ].join(' ')
}
