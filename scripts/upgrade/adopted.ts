import type pg from 'pg'
import { converted } from './adopt/baseline.ts'
import { compare } from './adopt/compare.ts'
import { apiRoles } from './adopt/difference.ts'
import type { Names } from './adopt/names.ts'
import type { Difference } from '../operate/doctor/privileges.ts'
import { exists } from '../migrate/migrator.ts'
import { bare, type Part } from '../schema/verify/parts.ts'

/** The objects of what `make adopt` recorded. */
export type Adopted = ReadonlySet<string>

/** What was recorded and is still as it was then; a record does not excuse what came later under its name. */
export async function readAdopted(client: pg.Client): Promise<Adopted> {
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

/** Which names later migrations give mattered before they ran. */
export const noNames: Names = {
  schemas: new Set(),
  relations: new Set(),
  domains: new Set(),
  columns: new Set(),
  constraints: new Set(),
}

/** Whether an object that is too much, or not there, was so when the database was adopted. */
export function isAdopted(adopted: Adopted, { kind, object, on, entry }: Part): boolean {
  const isKey = kind === 'constraint' && / PRIMARY KEY \(id\);/.test(entry.sql)
  return adopted.has(isKey ? `${on} primary key` : object)
}

/** The same for an aspect of an object that both have. */
export function isAspectAdopted(adopted: Adopted, wanted: Part, aspect: string): boolean {
  const { kind, object, on } = wanted
  if (kind === 'sequence' && aspect === 'details') {
    const column = wanted.aspects.get('owned by')
    return adopted.has(`${column} sequence details`) || adopted.has(`${column} identity`)
  }
  if (kind === 'column' && aspect === 'default') {
    // The migrations set their own defaults over those of the live tables.
    return adopted.has(`${object} ${wanted.aspects.has('default') ? 'identity' : 'default'}`)
  }
  // And they make the times what they should be, and required what has to be.
  const isTime = kind === 'column' && converted(on!).some((name) => object === `${on}.${name}`)
  if (aspect === 'not null' || (aspect === 'type' && isTime)) return false
  return adopted.has(`${object} ${aspect}`)
}

/** Whether everything that a role has too much of, it had then; the migrations take all that the API roles had. */
export function isGrantAdopted(adopted: Adopted, { object, grantee, extra }: Difference): boolean {
  const role = grantee === 'PUBLIC' ? 'public' : grantee
  const [, kind, name] = /^(\S+) (.*)$/.exec(object) ?? []
  if (apiRoles.includes(role) && kind !== 'TYPE') return false
  return extra.every((privilege) => {
    const column = /\((.*)\)$/.exec(privilege)?.[1]
    return adopted.has(`${name}${column === undefined ? '' : `.${bare(column)}`} to ${role}`)
  })
}
