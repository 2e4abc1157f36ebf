import { isDeepStrictEqual } from 'node:util'
import { parse } from 'dotenv'
import { Failure } from '../../core/failure.ts'

/*
 * Env files in the format of dotenv, which services use. Node's own parser is not used: its treatment of quotes and
 * comments depends on the version of Node.
 */

/**
 * Parses the text of an env file.
 *
 * @throws Failure for a line that dotenv silently ignores: not an assignment, or overwritten by a later one.
 */
export function readEnv(text: string, file: string): Map<string, string> {
  const lines = text.split(/\r\n|\r|\n/)
  const parsed = parse(text)
  for (const [index, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    // A line has an effect if the file without it gives another result.
    if (!isDeepStrictEqual(parse(lines.toSpliced(index, 1).join('\n')), parsed)) continue
    throw new Failure(
      `${file}:${index + 1} has no effect`,
      'write it as NAME=value, with quotes if needed; if the name occurs twice, remove one of the lines',
    )
  }
  return new Map(Object.entries(parsed))
}

/**
 * Formats settings as an env file, sorted by name.
 *
 * @throws Failure for a value that an env file cannot represent.
 */
export function writeEnv(settings: ReadonlyMap<string, string>): string {
  const sorted = [...settings].sort(([a], [b]) => (a < b ? -1 : 1))
  const text = sorted.map(([name, value]) => `${lineOf(name, value)}\n`).join('')
  if (!isDeepStrictEqual(parse(text), Object.fromEntries(sorted))) throw new Error('a line of an env file changes another one')
  return text
}

/** Lines with each kind of quote, which must not end the quoted value of the line before. No setting has such a name. */
const quoteLines = { _1: `a'`, _2: 'b"', _3: 'c`' }
const following = Object.entries(quoteLines)
  .map(([name, value]) => `${name}=${value}\n`)
  .join('')

function lineOf(name: string, value: string): string {
  const escaped = value.replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  for (const written of [value, `'${value}'`, `"${escaped}"`, `\`${value}\``]) {
    const line = `${name}=${written}`
    if (isDeepStrictEqual(parse(`${line}\n${following}`), { [name]: value, ...quoteLines })) return line
  }
  const remedy = 'it mixes quotes that cannot be escaped: change the setting first'
  throw new Failure(`${name} has a value that an env file cannot represent`, remedy)
}
