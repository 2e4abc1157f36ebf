import { Failure } from './failure.ts'
import { printable } from './text.ts'

/**
 * The variables of make's command line, from `MAKEFLAGS`: after ` -- `, in reverse order, with blanks and backslashes
 * escaped by a backslash and `$` doubled. They are read there because make expands what it exports: `$(shell …)` in a
 * value would run.
 */
export function readMakeVariables(makeFlags = ''): Map<string, string> {
  const words: readonly string[] = makeFlags.match(/(?:\\.|[^\\ \t])+/gs) ?? []
  const start = words.indexOf('--')
  if (start === -1) return new Map()
  const definitions = words.slice(start + 1).map((word) => word.replace(/\\(.)/gs, '$1').replaceAll('$$', '$'))
  return new Map(definitions.reverse().map(parseDefinition))
}

/** `name=value`, and `name:=value` as make writes what is expanded at once. */
function parseDefinition(text: string): [string, string] {
  const [, name, value] = /^(.+?)[:?+!]*=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new Failure(`make passed on ${printable(text)}`, 'write name=value')
  return [name, value]
}

/** The form in which a value can be pasted into a shell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
