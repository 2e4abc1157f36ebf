import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { canRun, isReadable, packagedNative, refuseForeign, serverUser, versionOf } from '../../db/testing/binaries.ts'
import type { Installation } from '../../db/testing/binaries.ts'
import { Failure } from './failure.ts'
import { fromRoot, root } from './paths.ts'

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
    : `/var/tmp/leo-saas-schema-${createHash('sha256').update(clone).digest('hex').slice(0, 12)}`
  if (!isInPlace && existsSync(home)) refuseForeign(home)
  return { ...version, native, home, isInPlace, user }
}

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
  if (isInPlace || !existsSync(home) || readdirSync(home).some((name) => !/^(native|pristine)-/.test(name))) return
  rmSync(home, { recursive: true })
}
