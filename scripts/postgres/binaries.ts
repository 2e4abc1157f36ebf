import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { canRun, isReadable, makeFolder, packagedNative, refuseForeign, serverUser, versionOf } from '../../db/testing/binaries.ts'
import type { Installation } from '../../db/testing/binaries.ts'
import { Failure } from '../core/failure.ts'
import { fromRoot, root } from '../core/paths.ts'

/**
 * Finds the programs and the folder for clusters without creating anything. Clusters are in `.local/` and the programs run
 * from node_modules. Exception: if the process is root and the user of the server cannot read the clone, clusters and
 * copies of the programs are in a folder under /var/tmp.
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
 * The folders that may contain throw-away clusters; a new cluster is created in the first. If /dev/shm has room for a whole
 * test run, that is a folder there: creating and removing the hundreds of files of each database is several times faster.
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
    // /dev/shm is missing or not writable, or the folder belongs to another user: use the disk.
    return [home]
  }
}

/** The path of a folder that belongs to one clone. */
const homeIn = (folder: string, clone: string): string =>
  join(folder, `leo-saas-schema-${createHash('sha256').update(clone).digest('hex').slice(0, 12)}`)

/** The programs of a PostgreSQL major version, from the package or from `make test-matrix`; undefined if not installed. */
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

/** Removes copies of programs and data directories outside the clone, unless a cluster is still there. */
export function removeCopies({ home, isInPlace }: Installation): void {
  if (isInPlace || !existsSync(home) || readdirSync(home).some((name) => !/^(native|pristine|template)-/.test(name))) return
  rmSync(home, { recursive: true })
}
