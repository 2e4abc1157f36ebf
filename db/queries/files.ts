import { LeoError } from '../errors.ts'

/** The files of an app: path → content. */
export type Files = Readonly<Record<string, string>>

/** Thrown where a stored text is no JSON object of strings: old rows may hold anything. */
export class FilesNotReadableError extends LeoError {
  override readonly name = 'FilesNotReadableError'
  declare readonly code: 'files_not_readable'
}

/** The form in which `iteration_snapshots.files_snapshot` keeps files: a JSON object, path → content. */
export const encodeFiles = (files: Files): string => JSON.stringify(files)

/**
 * Reads what `encodeFiles` wrote. The map inherits nothing: a path like `constructor` or `__proto__` is there only if a
 * file is called so.
 *
 * @throws {FilesNotReadableError} for any other text; the message has none of it.
 */
export function decodeFiles(text: string): Files {
  const files: Record<string, string> = Object.create(null)
  for (const [path, content] of Object.entries(parseObject(text))) {
    if (typeof content !== 'string') {
      throw new FilesNotReadableError('files_not_readable', 'the files are no JSON object of strings: repair the snapshot')
    }
    files[path] = content
  }
  return files
}

/** Without the error of `JSON.parse`, which quotes what it could not read. */
function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {}
  throw new FilesNotReadableError('files_not_readable', 'the files are no JSON object: repair the snapshot')
}
