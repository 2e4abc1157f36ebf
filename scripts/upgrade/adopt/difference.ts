import type { Names } from './names.ts'

export interface Difference {
  /** Unique: the name of the database object, followed by the property that differs. */
  readonly object: string
  readonly kind: string
  readonly expected: string
  readonly found: string
  readonly isRefused: boolean
  /** For a refused difference the remedy, as SQL where possible; for an accepted one a note. */
  readonly advice?: string
}

export type Details = [kind: string, object: string, expected: string, found: string]

/** The expected value of a difference whose name a later migration will use. */
export const reservedName = 'no object with this name, which a later migration creates'

export const accepted = (...[kind, object, expected, found]: Details): Difference => ({
  ...{ object, kind, expected, found },
  isRefused: false,
})

export const refused = (advice: string, ...[kind, object, expected, found]: Details): Difference => ({
  ...{ object, kind, expected, found, advice },
  isRefused: true,
})

/** Roles from which later migrations revoke all privileges before they grant the intended ones. */
export const apiRoles = ['public', 'anon', 'authenticated', 'service_role']

export interface CheckContext {
  readonly query: <T extends object>(sql: string, values?: readonly unknown[]) => Promise<T[]>
  readonly names: Names
  /** OIDs of the live tables. */
  readonly oids: readonly number[]
}

export type Check = (context: CheckContext) => Promise<Difference[]>

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
