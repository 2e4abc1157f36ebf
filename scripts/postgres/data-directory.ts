import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, type Installation } from '../../db/testing/binaries.ts'
import { ensureData, outputOf, run, throwaway } from '../../db/testing/cluster.ts'
import { exclusively } from './file-lock.ts'
import { Failure } from '../core/failure.ts'

/**
 * The data of a new throw-away cluster: a copy of what initdb made once for these programs, for that takes ten times as
 * long. The login's password comes with it.
 */
export async function layData(folder: string, at: Installation, programs: string): Promise<void> {
  const pristine = join(at.home, `pristine-${at.major}`)
  const maker = [at.native, at.version, ...throwaway.initdb].join('\n')
  const note = join(pristine, 'made-by')
  await exclusively(pristine, async () => {
    if (!existsSync(note) || readFileSync(note, 'utf8') !== maker) {
      rmSync(pristine, { recursive: true, force: true })
      await ensureData(pristine, throwaway, at, programs)
      writeFileSync(note, maker)
    }
    await copyData(pristine, folder, at)
  })
}

/** Copies a stopped cluster: its data and the password of its login. */
export async function copyData(from: string, folder: string, at: Installation): Promise<void> {
  makeFolder(folder, at.user)
  try {
    // As the caller, who may keep the owner.
    await run('cp', { ...at, user: undefined }, ['-Rp', join(from, 'data'), join(from, 'password'), folder])
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    rmSync(folder, { recursive: true, force: true })
    throw new Failure(`${folder} cannot be written: ${outputOf(cause).trim()}`, 'make room there', { cause })
  }
}
