import { CompiledQuery } from 'kysely'

/** Settings of one transaction, by name. */
export type Settings = Readonly<Record<string, string>>

/** Sets them until the end of the transaction. The values are parameters, so that no trace of the statement shows a user's id. */
export function setLocally(settings: Settings): CompiledQuery {
  const calls = Object.keys(settings).map((name, index) => `set_config('${name}', $${index + 1}, true)`)
  return CompiledQuery.raw(`select ${calls.join(', ')}`, Object.values(settings))
}

/** The same as text, for a message of several statements, which takes no parameters. `E''` reads the same whatever the session's settings. */
export function setLocallyAsText(settings: Settings): string {
  const calls = Object.entries(settings).map(([name, value]) => `set_config(${literal(name)}, ${literal(value)}, true)`)
  return `select ${calls.join(', ')}`
}

const literal = (text: string): string => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
