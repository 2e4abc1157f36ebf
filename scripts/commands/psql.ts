import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { runProgram } from '../core/child.ts'
import { LeoCommand } from '../core/command.ts'
import type { Target } from '../core/target.ts'

export const command = new LeoCommand({
  name: 'psql',
  summary: 'Open the database in psql, or in a small SQL prompt where psql is not installed',
  example: 'psql',
  exits: { 1: 'an error; other codes are those of psql' },
  reads: ['DATABASE_URL'],
}).run(async () => {
  const { resolveTarget } = await import('../postgres/resolve-target.ts')
  const target = await resolveTarget()
  const psql = findOnPath('psql')
  if (psql !== undefined) return runProgram(psql, [], { cwd: process.cwd(), env: { ...process.env, ...settingsOf(target) } })
  const { runPrompt } = await import('../operate/prompt/prompt.ts')
  return runPrompt(target)
})

/** The connection settings, for the environment of psql: other users of the machine can read its arguments. */
function settingsOf({ host, port, user, database, sslMode, pg: { password }, dbmateUrl }: Target): Record<string, string> {
  const certificate = new URL(dbmateUrl).searchParams.get('sslrootcert')
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    PGSSLMODE: sslMode,
    ...(typeof password === 'string' ? { PGPASSWORD: password } : {}),
    ...(certificate === null ? {} : { PGSSLROOTCERT: certificate }),
  }
}

function findOnPath(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, program)).find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
