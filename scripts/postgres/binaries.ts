import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { canRun, isReadable, makeFolder, packagedNative, refuseForeign, serverUser, versionOf } from '../../db/testing/binaries.ts'
import type { Installation } from '../../db/testing/binaries.ts'
import { Failure } from '../core/failure.ts'
import { fromRoot, root } from '../core/paths.ts'

/**
 * Only looks. Everything is in place, clusters in `.local/`, unless this is root and the user that the server runs as
 * cannot reach the clone: then both clusters and programs go to a folder of the clone's own under /var/tmp.
 */
export function locate(native = packagedNative(), clone = root): Installation {
  const version = versionOf(native)
  const user = serverUser()
  const isInPlace = isReadable(clone, user) && canRun(native, user)
  const home = isInPlace
    ? join(clone, '.local')
    : homeIn('/var/tmp', clone)
  if (!isInPlace && existsSync(home)) refuseForeign(home)
  return { ...version, native, home, isInPlace, user }
}

/**
 * The folders that throw-away clusters may be in; a new one goes to the first. That is in memory where there is room for
 * a whole run of the tests: files, of which each database has hundreds, are made and removed several times as fast.
 */
export function throwawayHomes({ home, user }: Installation): string[] {
  const memory = '/dev/shm'
  const own = homeIn(memory, home)
  try {
    const { bavail, bsize } = statfsSync(memory)
    const hasRoom = Math.min(bavail * bsize, freemem()) > 4 * 1024 ** 3
    if (hasRoom) makeFolder(own, user)
    refuseForeign(own)
    return hasRoom ? [own, home] : [home, own]
  } catch {
    // Not there, not writable, or somebody else's: the disk does.
    return [home]
  }
}

/** A clone's own. */
const homeIn = (folder: string, clone: string): string =>
  join(folder, `leo-saas-schema-${createHash('sha256').update(clone).digest('hex').slice(0, 12)}`)

/** The programs of a major, where they are installed: the package's own, or those of `make test-matrix`. */
export function installedNative(major: number): string | undefined {
  const own = packagedNative()
  if (versionOf(own).major === major) return own
  try {
    return packagedNative(`postgres-${major}`, fromRoot('scripts/matrix/package.json'))
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** Removes what can be made again outside the clone, unless a cluster is still there. */
export function removeCopies({ home, isInPlace }: Installation): void {
  if (isInPlace || !existsSync(home) || readdirSync(home).some((name) => !/^(native|pristine|template)-/.test(name))) return
  rmSync(home, { recursive: true })
}
