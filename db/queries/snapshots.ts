/**
 * Checkpoints of a generation: all files of the app as they stood after an iteration. Callers give and get a map of
 * path to content; how it is stored is nobody else's business.
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

/** What is known of a snapshot beside its files. */
export type SnapshotFacts = Pick<Row<'iteration_snapshots'>, (typeof columns)[number]>

/** A snapshot with its files; null where an old writer saved none. */
export interface Snapshot extends SnapshotFacts {
  readonly files: Files | null
}

/** A snapshot that can be gone back to. */
export interface ResumePoint extends SnapshotFacts {
  readonly files: Files
}

/** A snapshot to save. */
export type NewSnapshot = Pick<
  New<'iteration_snapshots'>,
  'user_id' | 'generation_request_id' | 'iteration_number' | 'snapshot_type' | 'prompt_used' | 'metadata'
> & {
  /** All files as they stand now. */
  readonly files: Files
}

/** A generation, and whose it is. */
export interface OfGeneration {
  readonly user_id: UserId
  readonly generation_request_id: GenerationId
}

/** A snapshot, and whose it is. */
export interface OfSnapshot {
  readonly user_id: UserId
  readonly snapshot_id: SnapshotId
}

/**
 * Saves the files of a generation: what a user asks to be kept, or a deployer wants to mark. For services. A worker
 * that holds the generation uses `queue.recordIteration`, which is fenced by its attempt; this is not. Said twice it
 * saves twice.
 *
 * @returns the snapshot's id and time.
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
  { files, ...facts }: NewSnapshot,
): Promise<{ id: SnapshotId; timestamp: Date }> {
  return db
    .insertInto('iteration_snapshots')
    .values({ ...facts, files_snapshot: encodeFiles(files) })
    .returning(['id', 'timestamp'])
    .executeTakeFirstOrThrow()
}

const order = keyset('snapshots', 'number')

/**
 * Lists the snapshots of a generation without their files, the last saved first. For its user, and for services.
 *
 * @returns a page, empty where there are none or the generation is another's, and `next`: the cursor of the page after
 *   it, or null. `has_files` says whether there is something to go back to.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
 * @example
 * const { snapshots: saved } = await asUser(db, userId, (trx) =>
 *   snapshots.list(trx, { user_id: userId, generation_request_id: generationId }))
 */
export async function list(
  db: AnyDatabase,
  { user_id, generation_request_id, ...page }: OfGeneration & Page,
): Promise<{ snapshots: (SnapshotFacts & { has_files: boolean })[]; next: string | null }> {
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
 * Finds a snapshot with all of its files. For its user, and for services.
 *
 * @returns `undefined` where there is none, or it is another's.
 * @throws {FilesNotReadableError} `files_not_readable`: an old writer left something else than files.
 * @example
 * const of = { user_id: userId, generation_request_id: generationId }
 * const [newest] = (await snapshots.list(serviceDb, { ...of, limit: 1 })).snapshots
 * if (newest) console.log(await snapshots.find(serviceDb, { user_id: userId, snapshot_id: newest.id }))
 */
export async function find(db: AnyDatabase, { user_id, snapshot_id }: OfSnapshot): Promise<Snapshot | undefined> {
  const row = await db
    .selectFrom('iteration_snapshots')
    .select(columns)
    .select('files_snapshot')
    .where('user_id', '=', user_id)
    .where('id', '=', snapshot_id)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { files_snapshot, ...facts } = row
  return { ...facts, files: files_snapshot === null ? null : decodeFiles(files_snapshot, facts.id) }
}

/**
 * `find` for a snapshot that has to be there. For its user, and for services.
 *
 * @throws {NotFoundError} `not_found`: there is none, or it is another's.
 * @throws {FilesNotReadableError} `files_not_readable`.
 * @example
 * const of = { user_id: userId, generation_request_id: generationId }
 * for (const { id } of (await snapshots.list(serviceDb, of)).snapshots) {
 *   console.log(Object.keys((await snapshots.get(serviceDb, { user_id: userId, snapshot_id: id })).files ?? {}))
 * }
 */
export async function get(db: AnyDatabase, of: OfSnapshot): Promise<Snapshot> {
  const snapshot = await find(db, of)
  if (snapshot === undefined) throw new NotFoundError('not_found', 'the user has no such snapshot')
  return snapshot
}

/**
 * Finds the content of one file of a snapshot. For its user, and for services. The files travel whole: PostgreSQL would
 * have to read all of them too, is hardly faster, and fails on contents with U+0000 and on texts that are no JSON, which
 * would take the transaction along.
 *
 * @returns `undefined` where there is no such snapshot, or no such file in it.
 * @throws {FilesNotReadableError} `files_not_readable`.
 * @example
 * const of = { user_id: userId, generation_request_id: generationId }
 * for (const { id } of (await snapshots.list(serviceDb, of)).snapshots) {
 *   console.log(await snapshots.findFile(serviceDb, { user_id: userId, snapshot_id: id, path: 'index.html' }))
 * }
 */
export async function findFile(
  db: AnyDatabase,
  { path, ...of }: OfSnapshot & { readonly path: string },
): Promise<string | undefined> {
  return (await find(db, of))?.files?.[path]
}

/**
 * Finds where a generation goes on from after a crash, a pause or a retry: the snapshot that was saved last, of any
 * type, and not the one of the highest iteration, for the user may have gone back meanwhile. For services, and the
 * user.
 *
 * @returns `undefined` where no files were saved yet: begin anew. It may be older than the generation's
 *   `current_iteration`: go on from the snapshot's `iteration_number`.
 * @throws {FilesNotReadableError} `files_not_readable`: look for an older one by `list`.
 * @example
 * const point = await snapshots.findResumePoint(serviceDb, { user_id: userId, generation_request_id: generationId })
 * const files = { ...point?.files }
 */
export async function findResumePoint(db: AnyDatabase, of: OfGeneration): Promise<ResumePoint | undefined> {
  return findRestorePoint(db, { ...of, iteration_number: 2 ** 31 - 1 })
}

/**
 * Finds what an app looked like after an iteration, for a user who wants to go back to it: of the snapshots at or
 * before that iteration the one that was saved last, of any type, since a checkpoint only says who asked for it. Who
 * wants a certain one finds it by `list` and reads it by `get`. For the user, and for services.
 *
 * @returns `undefined` where no files were saved up to then.
 * @throws {FilesNotReadableError} `files_not_readable`: look for an older one by `list`.
 * @example
 * const point = await asUser(db, userId, (trx) =>
 *   snapshots.findRestorePoint(trx, { user_id: userId, generation_request_id: generationId, iteration_number: 2 }))
 */
export async function findRestorePoint(
  db: AnyDatabase,
  { user_id, generation_request_id, iteration_number }: OfGeneration & { readonly iteration_number: number },
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
  const { files_snapshot, ...facts } = row
  return { ...facts, files: decodeFiles(files_snapshot, facts.id) }
}
