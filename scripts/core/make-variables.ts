import { Failure } from './failure.ts'
import { printable } from './text.ts'

/**
 * The variables of make's command line, from `MAKEFLAGS`: after ` -- `, in reverse order, with blanks and backslashes
 * escaped by a backslash and `$` doubled. They are not read from the environment, because make expands the values that it
 * exports: `$(shell …)` in a value would run.
 */
export function readMakeVariables(makeFlags = ''): Map<string, string> {
  const words: readonly string[] = makeFlags.match(/(?:\\.|[^\\ \t])+/gs) ?? []
  const start = words.indexOf('--')
  if (start === -1) return new Map()
  const definitions = words.slice(start + 1).map((word) => word.replace(/\\(.)/gs, '$1').replaceAll('$$', '$'))
  return new Map(definitions.reverse().map(parseDefinition))
}

/** Parses `name=value`, and `name:=value`, which make writes for variables that it expands immediately. */
function parseDefinition(text: string): [string, string] {
  const [, name, value] = /^(.+?)[:?+!]*=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new Failure(`make passed on ${printable(text)}`, 'write name=value')
  return [name, value]
}

/** Quotes a value for a shell, if necessary. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
