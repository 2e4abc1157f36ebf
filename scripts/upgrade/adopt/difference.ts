import type { Names } from './names.ts'

export interface Difference {
  /** Unique: the kinds of one object's differences are told apart by what follows its name. */
  readonly object: string
  readonly kind: string
  readonly expected: string
  readonly found: string
  readonly isRefused: boolean
  /** What to do about one that is refused, exact SQL where there is one; what to know about one that is not. */
  readonly advice?: string
}

export type Details = [kind: string, object: string, expected: string, found: string]

export const accepted = (...[kind, object, expected, found]: Details): Difference => ({
  ...{ object, kind, expected, found },
  isRefused: false,
})

export const refused = (advice: string, ...[kind, object, expected, found]: Details): Difference => ({
  ...{ object, kind, expected, found, advice },
  isRefused: true,
})

/** Roles that later migrations take every grant from, before they give what is meant. */
export const apiRoles = ['public', 'anon', 'authenticated', 'service_role']

export interface Patient {
  readonly query: <T extends object>(sql: string, values?: readonly unknown[]) => Promise<T[]>
  readonly names: Names
  /** Object ids of the live tables. */
  readonly oids: readonly number[]
}

export type Aspect = (patient: Patient) => Promise<Difference[]>

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
