import type { SnapshotId } from '../../types/index.ts'
import { FilesNotReadableError } from '../client/errors.ts'

/** The files of an app: path to content. */
export type Files = Readonly<Record<string, string>>

/**
 * Writes files as `iteration_snapshots.files_snapshot` keeps them: a JSON object of path to content, in the map's
 * order. Any string comes back as it was, U+0000 and halves of surrogate pairs too, which are escapes in JSON.
 */
export function encodeFiles(files: Files): string {
  // JSON.stringify would leave a file without content out, and nobody would miss it until it is to be restored.
  for (const content of Object.values(files))
    if (typeof content !== 'string') throw new TypeError('the content of a file is a string')
  return JSON.stringify(files)
}

/**
 * Reads what `encodeFiles` wrote, or an older writer. The map inherits nothing: a path like `constructor` or
 * `__proto__` is in it only where a file is called so.
 *
 * @throws {FilesNotReadableError} `files_not_readable`: the text is no JSON object of strings.
 */
export function decodeFiles(text: string, snapshot_id: SnapshotId): Files {
  const parsed = parse(text)
  if (!isMap(parsed)) throw new FilesNotReadableError(snapshot_id)
  return Object.assign(Object.create(null), parsed)
}

/** Without the error of JSON.parse, which quotes what it could not read. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isMap = (value: unknown): value is Files =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((content) => typeof content === 'string')
