import { CompiledQuery } from 'kysely'

/** Configuration parameters of one transaction: name to value. */
export type Settings = Readonly<Record<string, string>>

/** Sets them until the transaction ends. The values are query parameters, so that the statement's text contains no user id. */
export function setLocally(settings: Settings): CompiledQuery {
  const calls = Object.keys(settings).map((name, index) => `set_config('${name}', $${index + 1}, true)`)
  return CompiledQuery.raw(`select ${calls.join(', ')}`, Object.values(settings))
}

/** The same as text, for a message of several statements, which takes no query parameters. `E''` does not depend on `standard_conforming_strings`. */
export function setLocallyAsText(settings: Settings): string {
  const calls = Object.entries(settings).map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, true)`)
  return `select ${calls.join(', ')}`
}

const literal = (text: string): string => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
