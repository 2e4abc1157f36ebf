/**
 * Snapshots of a generation: all files of the app after an iteration, as a map of path to content. How they are stored is
 * internal to this module.
 */
import { sql } from 'kysely'
import type { GenerationId, New, Row, SnapshotId, UserId } from '../../types/index.ts'
import { NotFoundError } from '../client/errors.ts'
import type { AnyDatabase, ServiceDatabase } from '../client/session.ts'
import { decodeFiles, encodeFiles } from './files.ts'
import type { Files } from './files.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = [
  'id',
  'generation_request_id',
  'iteration_number',
  'snapshot_type',
  'prompt_used',
  'metadata',
  'timestamp',
] as const

/** A snapshot without its files. */
export type SnapshotMetadata = Pick<Row<'iteration_snapshots'>, (typeof columns)[number]>

/** A snapshot with its files; `files` is null if a writer of the previous schema saved none. */
export interface Snapshot extends SnapshotMetadata {
  readonly files: Files | null
}

/** A snapshot that has files, so that an app can be restored from it. */
export interface ResumePoint extends SnapshotMetadata {
  readonly files: Files
}

/** A snapshot to save. */
export type NewSnapshot = Pick<
  New<'iteration_snapshots'>,
  'user_id' | 'generation_request_id' | 'iteration_number' | 'snapshot_type' | 'prompt_used' | 'metadata'
> & {
  /** All files of the app: path to content. */
  readonly files: Files
}

/** Identifies a generation of a user. */
export interface GenerationRef {
  readonly user_id: UserId
  readonly generation_request_id: GenerationId
}

/** Identifies a snapshot of a user. */
export interface SnapshotRef {
  readonly user_id: UserId
  readonly snapshot_id: SnapshotId
}

/**
 * Saves the files of a generation, for example when a user asks for a snapshot. For services. A worker that holds the
 * generation calls `queue.recordIteration` instead, which is fenced by the attempt. It is not idempotent: a second call
 * saves a second snapshot.
 *
 * @returns the id and time of the snapshot.
 * @throws {ConstraintError} `generation_not_found`: the user has no such generation; `iteration_number_negative`.
 * @example
 * await snapshots.insert(serviceDb, {
 *   user_id: userId,
 *   generation_request_id: generationId,
 *   iteration_number: 3,
 *   snapshot_type: 'manual',
 *   files: { 'index.html': '<h1>Books</h1>' },
 * })
 */
export async function insert(
  db: ServiceDatabase,
  { files, ...metadata }: NewSnapshot,
): Promise<{ id: SnapshotId; timestamp: Date }> {
  return db
    .insertInto('iteration_snapshots')
    .values({ ...metadata, files_snapshot: encodeFiles(files) })
    .returning(['id', 'timestamp'])
    .executeTakeFirstOrThrow()
}

const order = keyset('snapshots', 'number')

/**
 * Lists the snapshots of a generation without their files, the last saved first. For its user, and for services.
 *
 * @returns a page, empty if there are none or the generation belongs to another user, and `next`: the cursor of the next
 *   page, or null. `has_files` is false if the app cannot be restored from the snapshot.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { snapshots: saved } = await asUser(db, userId, (trx) =>
 *   snapshots.list(trx, { user_id: userId, generation_request_id: generationId }))
 */
export async function list(
  db: AnyDatabase,
  { user_id, generation_request_id, ...page }: GenerationRef & Page,
): Promise<{ snapshots: (SnapshotMetadata & { has_files: boolean })[]; next: string | null }> {
  const after = order.after(page)
  const found = await db
    .selectFrom('iteration_snapshots')
    .select(columns)
    .select(sql<boolean>`files_snapshot is not null`.as('has_files'))
    .where('user_id', '=', user_id)
    .where('generation_request_id', '=', generation_request_id)
    .$if(after !== undefined, (query) => query.where('id', '<', Number(after?.[0]) as SnapshotId))
    .orderBy('id', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = order.cut(found, page, ({ id }) => [id])
  return { snapshots: rows, next }
}

/**
 * Finds a snapshot with all its files. For its user, and for services.
 *
 * @returns `undefined` if it does not exist or belongs to another user.
 * @throws {FilesNotReadableError} `files_not_readable`: a writer of the previous schema saved a text that is not files.
 * @example
 * const generation = { user_id: userId, generation_request_id: generationId }
 * const [newest] = (await snapshots.list(serviceDb, { ...generation, limit: 1 })).snapshots
 * if (newest) console.log(await snapshots.find(serviceDb, { user_id: userId, snapshot_id: newest.id }))
 */
export async function find(db: AnyDatabase, { user_id, snapshot_id }: SnapshotRef): Promise<Snapshot | undefined> {
  const row = await db
    .selectFrom('iteration_snapshots')
    .select(columns)
    .select('files_snapshot')
    .where('user_id', '=', user_id)
    .where('id', '=', snapshot_id)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { files_snapshot, ...metadata } = row
  return { ...metadata, files: files_snapshot === null ? null : decodeFiles(files_snapshot, metadata.id) }
}

/**
 * Reads a snapshot that has to exist, as `find` does. For its user, and for services.
 *
 * @throws {NotFoundError} `not_found`: it does not exist or belongs to another user.
 * @throws {FilesNotReadableError} `files_not_readable`.
 * @example
 * const generation = { user_id: userId, generation_request_id: generationId }
 * for (const { id } of (await snapshots.list(serviceDb, generation)).snapshots) {
 *   console.log(Object.keys((await snapshots.get(serviceDb, { user_id: userId, snapshot_id: id })).files ?? {}))
 * }
 */
export async function get(db: AnyDatabase, ref: SnapshotRef): Promise<Snapshot> {
  const snapshot = await find(db, ref)
  if (snapshot === undefined) throw new NotFoundError('not_found', 'the user has no such snapshot')
  return snapshot
}

/**
 * Finds the content of one file of a snapshot. For its user, and for services. It reads all files of the snapshot:
 * extracting one in PostgreSQL is hardly faster, and an error there, for a text that is not JSON or contains U+0000, would
 * abort the transaction.
 *
 * @returns `undefined` if the snapshot does not exist, or has no such file.
 * @throws {FilesNotReadableError} `files_not_readable`.
 * @example
 * const generation = { user_id: userId, generation_request_id: generationId }
 * for (const { id } of (await snapshots.list(serviceDb, generation)).snapshots) {
 *   console.log(await snapshots.findFile(serviceDb, { user_id: userId, snapshot_id: id, path: 'index.html' }))
 * }
 */
export async function findFile(
  db: AnyDatabase,
  { path, ...ref }: SnapshotRef & { readonly path: string },
): Promise<string | undefined> {
  return (await find(db, ref))?.files?.[path]
}

/**
 * Finds the snapshot from which a generation continues after a crash, a pause or a retry: the one saved last, of any
 * type. It is not always the one of the highest iteration, because the user may have restored an earlier one. For
 * services, and the user.
 *
 * @returns `undefined` if no files were saved: start from the beginning. The snapshot may be older than the generation's
 *   `current_iteration`: continue from the snapshot's `iteration_number`.
 * @throws {FilesNotReadableError} `files_not_readable`: choose an older one with `list`.
 * @example
 * const point = await snapshots.findResumePoint(serviceDb, { user_id: userId, generation_request_id: generationId })
 * const files = { ...point?.files }
 */
export async function findResumePoint(db: AnyDatabase, generation: GenerationRef): Promise<ResumePoint | undefined> {
  return findRestorePoint(db, { ...generation, iteration_number: 2 ** 31 - 1 })
}

/**
 * Finds the snapshot from which an app is restored to its state after an iteration: of the snapshots of that iteration and
 * earlier ones, the one saved last, of any type. For the user, and for services. To restore a specific snapshot, use
 * `list` and `get`.
 *
 * @returns `undefined` if no files were saved up to that iteration.
 * @throws {FilesNotReadableError} `files_not_readable`: choose an older one with `list`.
 * @example
 * const point = await asUser(db, userId, (trx) =>
 *   snapshots.findRestorePoint(trx, { user_id: userId, generation_request_id: generationId, iteration_number: 2 }))
 */
export async function findRestorePoint(
  db: AnyDatabase,
  { user_id, generation_request_id, iteration_number }: GenerationRef & { readonly iteration_number: number },
): Promise<ResumePoint | undefined> {
  const row = await db
    .selectFrom('iteration_snapshots')
    .select(columns)
    .select('files_snapshot')
    .where('user_id', '=', user_id)
    .where('generation_request_id', '=', generation_request_id)
    .where('iteration_number', '<=', iteration_number)
    .where('files_snapshot', 'is not', null)
    .$narrowType<{ files_snapshot: string }>()
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { files_snapshot, ...metadata } = row
  return { ...metadata, files: decodeFiles(files_snapshot, metadata.id) }
}
