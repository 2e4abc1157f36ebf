export type FilesProblem = 'files_no_object_of_strings' | 'files_no_text' | 'files_duplicate_key' | 'files_unsafe_path'

/**
 * Finds the problems of a `files_snapshot`, which should be a JSON object with one string per path. Accepts any text: one
 * pass, no recursion, no exception. `JSON.parse` is not enough, because it accepts duplicate keys.
 */
export function problemsOf(text: string): Set<FilesProblem> {
  const problems = new Set<FilesProblem>()
  const paths = new Set<string>()
  const malformed = (): Set<FilesProblem> => problems.add('files_no_object_of_strings')

  const readString = (at: number): number | undefined => {
    const end = endOfString(text, at)
    if (end !== undefined && hasInvalidEscape(text, at, end)) problems.add('files_no_text')
    return end
  }

  let at = skipSpace(text, 0)
  if (text[at] !== '{') return malformed()
  at = skipSpace(text, at + 1)
  if (text[at] === '}') return skipSpace(text, at + 1) === text.length ? problems : malformed()
  for (;;) {
    const keyEnd = readString(at)
    if (keyEnd === undefined) return malformed()
    const path = JSON.parse(text.slice(at, keyEnd)) as string
    if (paths.has(path)) problems.add('files_duplicate_key')
    if (isUnsafe(path)) problems.add('files_unsafe_path')
    paths.add(path)

    at = skipSpace(text, keyEnd)
    if (text[at] !== ':') return malformed()
    at = skipSpace(text, at + 1)
    const isString = text[at] === '"'
    if (!isString) malformed()
    const valueEnd = isString ? readString(at) : endOfOther(text, at)
    if (valueEnd === undefined) return malformed()

    at = skipSpace(text, valueEnd)
    if (text[at] === '}') return skipSpace(text, at + 1) === text.length ? problems : malformed()
    if (text[at] !== ',') return malformed()
    at = skipSpace(text, at + 1)
  }
}

const isUnsafe = (path: string): boolean =>
  /^\/|\\|^[A-Za-z]:/.test(path) || path.split('/').includes('..')

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return at
}

const quote = 0x22
const backslash = 0x5c

/** The position after the closing quote of the string at `start`; undefined if there is no valid JSON string. */
function endOfString(text: string, start: number): number | undefined {
  if (text.charCodeAt(start) !== quote) return undefined
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at + 1
    if (code < 0x20) return undefined
    if (code !== backslash) continue
    const escape = text[++at]
    if (escape === 'u') {
      if (!/^[0-9A-Fa-f]{4}$/.test(text.slice(at + 1, at + 5))) return undefined
      at += 4
    } else if (escape === undefined || !'"\\/bfnrt'.includes(escape)) return undefined
  }
  return undefined
}

/** Whether a valid JSON string has an escape that PostgreSQL text cannot hold: `\u0000` or an unpaired surrogate. */
function hasInvalidEscape(text: string, start: number, end: number): boolean {
  for (let at = text.indexOf('\\', start); at !== -1 && at < end; at = text.indexOf('\\', at)) {
    const code = escaped(text, at)
    if (code === 0 || isLow(code)) return true
    at += code === undefined ? 2 : 6
    if (!isHigh(code)) continue
    if (!isLow(escaped(text, at))) return true
    at += 6
  }
  return false
}

/** The code unit of the `\uXXXX` escape at this position. */
const escaped = (text: string, at: number): number | undefined =>
  text[at] === '\\' && text[at + 1] === 'u' ? Number.parseInt(text.slice(at + 2, at + 6), 16) : undefined

const isHigh = (code: number | undefined): boolean => code !== undefined && code >= 0xd800 && code <= 0xdbff
const isLow = (code: number | undefined): boolean => code !== undefined && code >= 0xdc00 && code <= 0xdfff

/** The position after a value that is not a string: that of the next comma or closing brace of the object. */
function endOfOther(text: string, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < text.length; ) {
    const char = text[at]!
    if (char === '"') {
      const end = endOfString(text, at)
      if (end === undefined) return undefined
      at = end
      continue
    }
    if (depth === 0 && (char === ',' || char === '}')) return at
    if (char === '{' || char === '[') depth++
    if (char === '}' || char === ']') depth--
    at++
  }
  return undefined
}
