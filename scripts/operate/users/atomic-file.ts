import { access, link, open, rename, rm } from 'node:fs/promises'
import process from 'node:process'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { Failure } from '../../core/failure.ts'

/**
 * Writes a file that only its owner may read, whole or not at all: under another name until it is done.
 * @throws Failure when there is such a file already, and when it cannot be written.
 */
export async function writeWhole<T>(
  file: string,
  work: (out: Writable, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (isThere) throw takenFailure(file)
  const partial = `${file}.${process.pid}.partial`
  const handle = await open(partial, 'wx', 0o600).catch((cause: unknown) => {
    throw new Failure(`${file} cannot be written: ${(cause as Error).message}`, 'name another: file=<path>', { cause })
  })
  const abort = new AbortController()
  const stop = () => abort.abort(new Failure('stopped', 'nothing was written; run it again', { exitCode: 130 }))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const out = handle.createWriteStream({ flush: true })
  out.on('error', (cause) => {
    abort.abort(new Failure(`${file} cannot be written: ${cause.message}`, 'see to that, then run it again', { cause }))
  })
  try {
    const result = await work(out, abort.signal)
    out.end()
    await finished(out)
    abort.signal.throwIfAborted()
    await give(partial, file)
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

/** A link refuses to replace what came meanwhile, which a renaming does not; some file systems have none. */
async function give(partial: string, file: string): Promise<void> {
  try {
    await link(partial, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw takenFailure(file)
    await rename(partial, file)
  }
}

const takenFailure = (file: string): Failure => new Failure(`${file} is there already`, 'name another: file=<path>')
