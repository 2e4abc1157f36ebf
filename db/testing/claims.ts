import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'

/*
 * A claim is a path that contains the process id of its owner (`<prefix>-<pid>-<random>`). Paths of killed processes are
 * recognised by it, so that a claim needs no release.
 */

export interface Claim {
  readonly path: string
  readonly pid: number
  readonly isAlive: boolean
}

const own = new Set<string>()

export function claim(prefix: string): string {
  const path = `${prefix}-${process.pid}-${randomBytes(4).toString('hex')}`
  own.add(path)
  return path
}

/** The paths under `prefix` whose owner no longer runs. */
export const orphans = (prefix: string): string[] =>
  claims(prefix).flatMap(({ isAlive, path }) => (isAlive ? [] : [path]))

/** The command line of a process, its arguments separated by spaces; empty if it has ended or is a zombie. */
export function commandLine(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-ww', '-o', 'command=', '-p', `${pid}`], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

export function claims(prefix: string): Claim[] {
  const folder = dirname(prefix)
  const start = `${basename(prefix)}-`
  return readdirSync(folder)
    .filter((name) => name.startsWith(start) && /^\d+-[0-9a-f]{8}$/.test(name.slice(start.length)))
    .map((name) => {
      const path = join(folder, name)
      const pid = Number.parseInt(name.slice(start.length), 10)
      // In another container an earlier process may have had the id of this one.
      return { path, pid, isAlive: pid === process.pid ? own.has(path) : commandLine(pid) !== '' }
    })
}
