import { access, link, open, rename, rm } from 'node:fs/promises'
import process from 'node:process'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { Failure } from '../../core/failure.ts'

/**
 * Writes a file that only its owner can read. It is written under a temporary name and renamed when it is complete.
 *
 * @throws Failure when the file already exists or cannot be written.
 */
export async function writeFileAtomically<T>(
  file: string,
  work: (out: Writable, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const exists = await access(file).then(
    () => true,
    () => false,
  )
  if (exists) throw existsFailure(file)
  const partial = `${file}.${process.pid}.partial`
  const handle = await open(partial, 'wx', 0o600).catch((cause: unknown) => {
    throw new Failure(`${file} cannot be written: ${(cause as Error).message}`, 'name another: file=<path>', { cause })
  })
  const abort = new AbortController()
  const stop = () => abort.abort(new Failure('stopped, nothing was written', 'run the command again', { exitCode: 130 }))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const out = handle.createWriteStream({ flush: true })
  out.on('error', (cause) => {
    const remedy = 'correct the cause, then run the command again'
    abort.abort(new Failure(`${file} cannot be written: ${cause.message}`, remedy, { cause }))
  })
  try {
    const result = await work(out, abort.signal)
    out.end()
    await finished(out)
    abort.signal.throwIfAborted()
    await moveIntoPlace(partial, file)
    return result
  } catch (error) {
    abort.signal.throwIfAborted()
    throw error
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    out.destroy()
    await rm(partial, { force: true })
  }
}

/**
 * Uses a link, because `rename` would replace a file that was created in the meantime. Some file systems do not support
 * links.
 */
async function moveIntoPlace(partial: string, file: string): Promise<void> {
  try {
    await link(partial, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw existsFailure(file)
    await rename(partial, file)
  }
}

const existsFailure = (file: string): Failure => new Failure(`${file} already exists`, 'name another: file=<path>')
