import { parse } from 'dotenv'
import { Failure } from '../../core/failure.ts'

/*
 * Env files as dotenv reads them, which is the format that services had theirs in. Node's own parser would do without a
 * package, but what it makes of quotes and comments depends on the version of Node.
 */

/**
 * The settings in the text of an env file.
 *
 * @throws Failure for a line that dotenv passes over without a word: no assignment, or one that a later one undoes.
 */
export function readEnv(text: string, file: string): Map<string, string> {
  const lines = text.split(/\r\n|\r|\n/)
  const whole = parse(text)
  for (const [index, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    // Whatever a line is to the parser: if it is something, the file says something else without it.
    if (!isSame(parse(lines.toSpliced(index, 1).join('\n')), whole)) continue
    throw new Failure(
      `${file}:${index + 1} has no effect`,
      'write it as NAME=value, quoted if need be; if the name comes twice, remove one of them',
    )
  }
  return new Map(Object.entries(whole))
}

/**
 * The text that dotenv reads as these settings, in the order of their names.
 *
 * @throws Failure for a value that no env file can say.
 */
export function writeEnv(settings: ReadonlyMap<string, string>): string {
  const sorted = [...settings].sort(([a], [b]) => (a < b ? -1 : 1))
  const text = sorted.map(([name, value]) => `${lineOf(name, value)}\n`).join('')
  if (!isSame(parse(text), Object.fromEntries(sorted))) throw new Error('a line of an env file changes another one')
  return text
}

/** What may follow a line: each quote, at whose next an unlucky value would end. Names that no setting has. */
const followers = { _1: `a'`, _2: 'b"', _3: 'c`' }
const following = Object.entries(followers)
  .map(([name, value]) => `${name}=${value}\n`)
  .join('')

function lineOf(name: string, value: string): string {
  const escaped = value.replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  for (const written of [value, `'${value}'`, `"${escaped}"`, `\`${value}\``]) {
    const line = `${name}=${written}`
    if (isSame(parse(`${line}\n${following}`), { [name]: value, ...followers })) return line
  }
  const remedy = 'it mixes quotes that cannot be escaped: change the setting first'
  throw new Failure(`${name} has a value that an env file cannot say`, remedy)
}

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
