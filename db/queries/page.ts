import { InvalidCursorError } from '../client/errors.ts'

/** Which page of a list; all lists of this package take it. */
export interface Page {
  /** How many at most: 1 to 100, 20 unless given. */
  readonly limit?: number | undefined
  /** `next` of the page before; the first page without it. */
  readonly cursor?: string | null | undefined
}

const most = 100

/** How many a page may have. Refused and not clamped: who asks for 500 and gets 100 takes them for all. */
export function limitOf({ limit = 20 }: Page): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit
  throw new RangeError(`limit is a whole number from 1 to ${most}`)
}

/** What a column of a list's order looks like in a cursor; none of it can make a statement fail. */
const forms = {
  /** Microseconds since 1970: a Date has none, and a page that began at one would skip rows or repeat them. */
  time: /^-?[0-9]{1,16}$/,
  number: /^-?[0-9]{1,18}$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  text: /^[^\0]{1,200}$/,
} as const

type Form = keyof typeof forms
type Key<Forms extends readonly Form[]> = { readonly [I in keyof Forms]: string }

/** The order of a list, which is unique: a cursor is a place in it, whether or not the row is still there. */
export interface Keyset<Forms extends readonly Form[]> {
  /** The place after which the page begins; `undefined` for the first. */
  after(page: Page): Key<Forms> | undefined
  /** Takes the rows, of which one more than the limit was asked for, apart into the page and the cursor of the next. */
  cut<R>(
    rows: readonly R[],
    page: Page,
    keyOf: (row: R) => { readonly [I in keyof Forms]: unknown },
  ): { rows: R[]; next: string | null }
}

/** @param list says whose cursors these are, so that one list's cursor is not taken for another's. */
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
    throw new InvalidCursorError(
      'invalid_cursor',
      'this is no cursor of this list: pass `next` of the page before, or none',
    )
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
