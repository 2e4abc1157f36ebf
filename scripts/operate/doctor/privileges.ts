import type { SchemaText } from '../../schema/dump/schema-text.ts'

/** Object, then grantee, then what is granted. Defaults are objects too: `DEFAULT IN SCHEMA public ON TABLES`. */
export type Privileges = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

const grantOption = 'GRANT OPTION FOR '
const onTable = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']
const all: Readonly<Record<string, readonly string[]>> = {
  'TABLE': onTable,
  'TABLES': onTable,
  'SEQUENCE': ['USAGE', 'SELECT', 'UPDATE'],
  'SEQUENCES': ['USAGE', 'SELECT', 'UPDATE'],
  'SCHEMA': ['USAGE', 'CREATE'],
  'FUNCTION': ['EXECUTE'],
  'FUNCTIONS': ['EXECUTE'],
  'TYPE': ['USAGE'],
  'TYPES': ['USAGE'],
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[^\s"]+)`
const grantLine = new RegExp(
  String.raw`^(ALTER DEFAULT PRIVILEGES (?:IN SCHEMA ${identifier} )?)?(GRANT|REVOKE) (.+?) ON (.+) (?:TO|FROM) ` +
    String.raw`(${identifier})( WITH GRANT OPTION)?;$`,
)

/**
 * What a dump's grants amount to. Its text alone will not do: `ALL` is longer on a newer server, a list has an order,
 * and a function without any grant is one that PUBLIC may execute. The owner has everything, until it is revoked.
 *
 * @param functions those that may be without any grant, as grants name them (with the names of parameters).
 */
export function readPrivileges(text: SchemaText, owner: string, functions: readonly string[] = []): Privileges {
  const objects = new Map<string, Map<string, Set<string>>>()
  const object = (key: string, kind: string): Map<string, Set<string>> => {
    const known = objects.get(key)
    if (known) return known
    const grants = new Map<string, Set<string>>()
    if (!key.startsWith('DEFAULT IN ')) {
      grants.set(owner, new Set(all[kind]))
      if (/^(FUNCTION|TYPE)S?$/.test(kind)) grants.set('PUBLIC', new Set(all[kind]))
    }
    objects.set(key, grants)
    return grants
  }

  for (const kind of ['TABLES', 'SEQUENCES', 'FUNCTIONS', 'TYPES']) object(`DEFAULT ON ${kind}`, kind)
  for (const key of functions) if (hasFunction(text, key)) object(key, 'FUNCTION')
  for (const { type, schema, name, sql } of text.entries) {
    if (type === 'SCHEMA') object(`SCHEMA ${name}`, type)
    if (type === 'TABLE' || type === 'SEQUENCE') object(`${type} ${schema}.${name}`, type)
    if (type === 'VIEW') object(`TABLE ${schema}.${name}`, 'TABLE')
    if (type === 'TYPE' || type === 'DOMAIN') object(`TYPE ${schema}.${name}`, 'TYPE')
    if (type !== 'ACL' && type !== 'DEFAULT ACL') continue
    for (const line of sql.split('\n')) {
      const [, defaults, verb, list = '', on = '', grantee = '', grantable] = grantLine.exec(line) ?? []
      if (verb === undefined) continue
      const target = on.replace(/^DOMAIN /, 'TYPE ')
      const kind = target.split(' ', 1)[0]!
      const scope = defaults?.replace('ALTER DEFAULT PRIVILEGES ', '')
      const key = scope === undefined ? target : `DEFAULT ${scope}ON ${on}`
      // What the owner grants to itself by default it has anyway.
      if (key.startsWith('DEFAULT IN ') && grantee === owner) continue
      const grants = object(key, kind)
      const held = grants.get(grantee) ?? new Set()
      for (const privilege of expand(list, kind)) {
        if (verb === 'REVOKE') held.delete(privilege)
        else held.add(privilege)
        if (grantable) held.add(grantOption + privilege)
      }
      grants.set(grantee, held)
    }
  }
  return objects
}

const hasFunction = ({ entries }: SchemaText, key: string): boolean => {
  const bare = key.slice('FUNCTION '.length, key.indexOf('(') + 1)
  return entries.some(({ type, schema, name }) => type === 'FUNCTION' && `${schema}.${name}`.startsWith(bare))
}

function expand(list: string, kind: string): string[] {
  return list.split(/,(?![^(]*\))/).flatMap((item) => {
    if (item === 'ALL') return all[kind] ?? ['ALL']
    const column = /^ALL(\(.*\))$/.exec(item)?.[1]
    return column === undefined ? [item] : ['SELECT', 'INSERT', 'UPDATE', 'REFERENCES'].map((one) => one + column)
  })
}

export interface Difference {
  readonly object: string
  readonly grantee: string
  readonly missing: readonly string[]
  readonly extra: readonly string[]
  /** On columns, and wanted: revoking from the whole table what is too much takes it along. */
  readonly takenAlong: readonly string[]
}

/** Of the objects that both have; a default that only one has is a difference too. */
export function comparePrivileges(wanted: Privileges, found: Privileges): Difference[] {
  const objects = new Set([...wanted.keys(), ...[...found.keys()].filter((key) => key.startsWith('DEFAULT '))])
  return [...objects].flatMap((object) => {
    const [should, does] = [wanted.get(object), found.get(object)]
    if (!does && !object.startsWith('DEFAULT ')) return []
    return [...new Set([...(should?.keys() ?? []), ...(does?.keys() ?? [])])].flatMap((grantee) => {
      const want = should?.get(grantee) ?? new Set()
      const have = does?.get(grantee) ?? new Set()
      const missing = [...want].filter((privilege) => !have.has(privilege))
      const extra = [...have].filter((privilege) => !want.has(privilege))
      const takenAlong = [...want].filter((privilege) => extra.some((whole) => privilege.startsWith(`${whole}(`)))
      return missing.length + extra.length > 0 ? [{ object, grantee, missing, extra, takenAlong }] : []
    })
  })
}

/** The statement that takes back what is too much and gives what is missing. */
export function mend({ object, grantee, missing, extra, takenAlong }: Difference): string {
  const [, scope, on] = /^DEFAULT (.*)ON (.+)$/.exec(object) ?? []
  const head = on === undefined ? '' : `ALTER DEFAULT PRIVILEGES ${scope}`
  const plain = extra.filter((privilege) => !privilege.startsWith(grantOption))
  // A privilege that is revoked takes its grant option with it.
  const taken = [...plain, ...plain.map((privilege) => grantOption + privilege)]
  const options = extra.filter((privilege) => !taken.includes(privilege))
  const given = [...missing, ...(plain.length > 0 ? takenAlong : [])]
  return [
    ...(plain.length > 0 ? [`${head}REVOKE ${plain.join(', ')} ON ${on ?? object} FROM ${grantee};`] : []),
    ...options.map((option) => `${head}REVOKE ${option} ON ${on ?? object} FROM ${grantee};`),
    ...(given.length > 0 ? [`${head}GRANT ${given.join(', ')} ON ${on ?? object} TO ${grantee};`] : []),
  ].join(' ')
}
