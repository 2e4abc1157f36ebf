import type { SnapshotId } from '../../types/index.ts'
import { FilesNotReadableError } from '../client/errors.ts'

/** The files of an app: path to content. */
export type Files = Readonly<Record<string, string>>

/**
 * Encodes files for `iteration_snapshots.files_snapshot`: a JSON object of path to content, in the order of the map. It
 * preserves every string, also U+0000 and lone surrogates, which JSON escapes.
 */
export function encodeFiles(files: Files): string {
  // JSON.stringify would omit a file whose content is undefined, which would be noticed only when it is restored.
  for (const content of Object.values(files))
    if (typeof content !== 'string') throw new TypeError('the content of a file has to be a string')
  return JSON.stringify(files)
}

/**
 * Decodes files that `encodeFiles` or a writer of the previous schema encoded. The map has no prototype, so that it has
 * the key `constructor` or `__proto__` only if a file has that path.
 *
 * @throws {FilesNotReadableError} `files_not_readable`: the text is not a JSON object of strings.
 */
export function decodeFiles(text: string, snapshot_id: SnapshotId): Files {
  const parsed = parse(text)
  if (!isMap(parsed)) throw new FilesNotReadableError(snapshot_id)
  return Object.assign(Object.create(null), parsed)
}

/** Hides the error of JSON.parse, which quotes the text. */
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
