import type pg from 'pg'
import { converted } from './adopt/baseline.ts'
import { compare } from './adopt/compare.ts'
import { apiRoles } from './adopt/difference.ts'
import type { Names } from './adopt/names.ts'
import { exists } from '../migrate/migrator.ts'
import type { SchemaFinding } from '../schema/verify/findings.ts'
import type { PrivilegeDifference } from '../schema/verify/privileges.ts'

/**
 * Returns a function that decides which findings of `make verify` were accepted when the database was adopted. A recorded
 * difference counts only while it is unchanged: it does not excuse a later difference in the same object.
 */
export async function readAdopted(client: pg.Client): Promise<(finding: SchemaFinding) => boolean> {
  const adopted = await readRecorded(client)
  return (finding) => isAccepted(adopted, finding)
}

/** The objects of the recorded differences. */
type Adopted = ReadonlySet<string>

async function readRecorded(client: pg.Client): Promise<Adopted> {
  await client.query(`begin isolation level repeatable read read only; set local statement_timeout = '30s'`)
  try {
    if (!(await exists(client, 'dbmate.adopted_differences'))) return new Set()
    const { rows } = await client.query<{ object: string; found: string }>(
      'select object, found from dbmate.adopted_differences',
    )
    const now = new Map((await compare(client, noNames)).map(({ object, found }) => [object, found]))
    return new Set(rows.filter(({ object, found }) => now.get(object) === found).map(({ object }) => object))
  } finally {
    await client.query('rollback')
  }
}

/** No names: conflicts with the names of later migrations were checked before these ran. */
export const noNames: Names = {
  schemas: new Set(),
  relations: new Set(),
  domains: new Set(),
  columns: new Set(),
  constraints: new Set(),
}

function isAccepted(adopted: Adopted, { object, about }: SchemaFinding): boolean {
  const { wanted, found, aspect, privileges } = about
  if (privileges) return isGrantAccepted(adopted, privileges)
  if (!wanted || !found) return isObjectAccepted(adopted, object, (wanted ?? found)!)
  const name = object.slice(0, object.length - (aspect ? aspect.length + 1 : 0))
  if (wanted.kind === 'sequence' && aspect === 'details') {
    const column = wanted.facts['owned by']?.replace(/^identity of /, '')
    return adopted.has(`${column} sequence details`) || adopted.has(`${column} identity`)
  }
  if (wanted.kind === 'column' && aspect === 'default') {
    // The migrations set their own defaults over those of the live tables.
    const hasDefault = ['default', 'identity', 'generated'].some((fact) => wanted.facts[fact] !== undefined)
    return adopted.has(`${name} ${hasDefault ? 'identity' : 'default'}`)
  }
  // The migrations convert the times and set NOT NULL.
  const table = name.slice(0, name.lastIndexOf('.'))
  const isTime = wanted.kind === 'column' && converted(table).includes(wanted.name)
  if (aspect === 'not null' || (aspect === 'type' && isTime)) return false
  return adopted.has(object)
}

/** Whether an extra or missing object was extra or missing when the database was adopted. */
function isObjectAccepted(adopted: Adopted, object: string, { kind, facts }: NonNullable<SchemaFinding['about']['wanted']>): boolean {
  const isKey = kind === 'constraint' && facts['definition'] === 'PRIMARY KEY (id)'
  return adopted.has(isKey ? object.replace(/ constraint .*/, ' primary key') : object)
}

/** Whether the role had all its extra privileges at adoption. The migrations revoke all privileges of the API roles. */
function isGrantAccepted(adopted: Adopted, { object, grantee, extra, missing }: PrivilegeDifference): boolean {
  if (missing.length > 0) return false
  const role = grantee === 'PUBLIC' ? 'public' : grantee
  const [, kind, name] = /^(\S+) (.*)$/.exec(object) ?? []
  if (apiRoles.includes(role) && kind !== 'TYPE') return false
  return extra.every((privilege) => {
    const column = /\((.*)\)$/.exec(privilege)?.[1]?.replace(/^"(.*)"$/, '$1').replaceAll('""', '"')
    return adopted.has(`${name}${column === undefined ? '' : `.${column}`} to ${role}`)
  })
}
