import { InvalidCursorError } from '../client/errors.ts'

/** Selects a page of a list. */
export interface Page {
  /** The maximum number of rows: 1 to 100; 20 if absent. */
  readonly limit?: number | undefined
  /** `next` of the previous page; the first page if absent or null. */
  readonly cursor?: string | null | undefined
}

const maxLimit = 100

/** Throws for a limit out of range. A clamped limit would let a caller take the first page for the whole list. */
export function limitOf({ limit = 20 }: Page): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxLimit) return limit
  throw new RangeError(`limit has to be a whole number from 1 to ${maxLimit}`)
}

/** The valid values of a cursor by type of column. A value that matches cannot make a statement fail. */
const forms = {
  /** Microseconds since 1970. A Date has milliseconds only, so that a page that begins at one would skip or repeat rows. */
  time: /^-?[0-9]{1,16}$/,
  number: /^-?[0-9]{1,18}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  text: /^[^\0]{1,200}$/,
} as const

type Form = keyof typeof forms
type Key<Forms extends readonly Form[]> = { readonly [I in keyof Forms]: string }

/** The unique order of a list. A cursor is a position in it, and stays valid when its row is deleted. */
export interface Keyset<Forms extends readonly Form[]> {
  /** Decodes the position after which the page begins; `undefined` for the first page. */
  after(page: Page): Key<Forms> | undefined
  /** Splits the rows, of which one more than the limit was read, into the page and the cursor of the next one. */
  cut<R>(
    rows: readonly R[],
    page: Page,
    keyOf: (row: R) => { readonly [I in keyof Forms]: unknown },
  ): { rows: R[]; next: string | null }
}

/** @param list is part of the cursors, so that a cursor of another list is rejected. */
export function keyset<const Forms extends readonly Form[]>(list: string, ...key: Forms): Keyset<Forms> {
  return {
    after: ({ cursor }) => (cursor == null ? undefined : (decode(cursor, list, key) as unknown as Key<Forms>)),
    cut(rows, page, keyOf) {
      const limit = limitOf(page)
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return { rows: rows.slice(0, limit), next: last === undefined ? null : encode([list, ...keyOf(last)]) }
    },
  }
}

const encode = (parts: readonly unknown[]): string =>
  Buffer.from(JSON.stringify(parts.map(String))).toString('base64url')

function decode(cursor: string, list: string, key: readonly Form[]): readonly string[] {
  const [name, ...parts] = parse(cursor)
  const fits = (part: unknown, index: number): boolean => typeof part === 'string' && forms[key[index]!].test(part)
  if (name !== list || parts.length !== key.length || !parts.every(fits)) {
    throw new InvalidCursorError('invalid_cursor', 'the cursor is not one of this list: pass `next` of the previous page')
  }
  return parts as readonly string[]
}

function parse(cursor: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(parts) ? parts : []
  } catch {
    return []
  }
}
