/** The tables that a generation created in the app's own database, by iteration. */
import { sql } from 'kysely'
import type { GenerationId, JsonValue, New, Row, UserId } from '../../types/index.ts'
import { NotFoundError } from '../client/errors.ts'
import type { AnyDatabase, ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const metadata = ['id', 'generation_request_id', 'iteration_number', 'created_at'] as const

/** A schema snapshot without tables and DDL. */
export type SchemaSnapshotMetadata = Pick<Row<'schema_snapshots'>, (typeof metadata)[number]>
/** A schema snapshot with its tables and DDL. */
export type SchemaSnapshot = Pick<Row<'schema_snapshots'>, (typeof metadata)[number] | 'tables' | 'ddl'>
/** A schema snapshot to save. */
export type NewSchemaSnapshot = Omit<New<'schema_snapshots'>, 'id' | 'created_at'>

/** A table that differs, or, if `column_name` is not null, a column that differs in a table that both snapshots have. */
export interface SchemaDifference {
  readonly table_name: string
  readonly column_name: string | null
  readonly change: 'added' | 'removed' | 'changed'
  readonly before: JsonValue
  readonly after: JsonValue
}

/** Identifies a schema snapshot of a user. */
export interface SchemaSnapshotRef {
  readonly user_id: UserId
  readonly id: bigint
}

/**
 * Saves the tables that exist after an iteration. For services.
 *
 * @returns `inserted` with the id; `repeated` if a schema snapshot of the iteration exists, which is not changed.
 * @throws {ConstraintError} `tables_without_columns`, `columns_without_name_or_type`, `tables_too_long`,
 *   `ddl_too_long`; `generation_not_found`: the user has no such generation.
 * @throws {RuleError} `unknown_iteration`: the iteration is greater than the generation's `max_iterations`.
 * @example
 * await schema_snapshots.insert(serviceDb, {
 *   user_id: userId,
 *   generation_request_id: generationId,
 *   iteration_number: 1,
 *   tables: { books: { columns: [{ name: 'title', type: 'text' }] } },
 *   ddl: 'create table books (title text)',
 * })
 */
export async function insert(
  db: ServiceDatabase,
  snapshot: NewSchemaSnapshot,
): Promise<{ outcome: 'inserted'; id: bigint } | { outcome: 'repeated' }> {
  const inserted = await db
    .insertInto('schema_snapshots')
    .values(snapshot)
    .onConflict((conflict) => conflict.columns(['user_id', 'generation_request_id', 'iteration_number']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted === undefined ? { outcome: 'repeated' } : { outcome: 'inserted', id: inserted.id }
}

const order = keyset('schema_snapshots', 'number')

/**
 * Lists the schema snapshots of a generation without tables and DDL, the last iteration first. For its user, and for
 * services.
 *
 * @returns a page, empty if there are none or the generation belongs to another user, and `next`: the cursor of the next
 *   page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { schema_snapshots: saved } = await asUser(db, userId, (trx) =>
 *   schema_snapshots.list(trx, { user_id: userId, generation_request_id: generationId }))
 */
export async function list(
  db: AnyDatabase,
  {
    user_id,
    generation_request_id,
    ...page
  }: { readonly user_id: UserId; readonly generation_request_id: GenerationId } & Page,
): Promise<{ schema_snapshots: SchemaSnapshotMetadata[]; next: string | null }> {
  const after = order.after(page)
  const found = await db
    .selectFrom('schema_snapshots')
    .select(metadata)
    .where('user_id', '=', user_id)
    .where('generation_request_id', '=', generation_request_id)
    .$if(after !== undefined, (query) => query.where('iteration_number', '<', Number(after?.[0])))
    .orderBy('iteration_number', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = order.cut(found, page, ({ iteration_number }) => [iteration_number])
  return { schema_snapshots: rows, next }
}

/**
 * Finds a schema snapshot with its tables and DDL. For its user, and for services.
 *
 * @returns `undefined` if it does not exist or belongs to another user.
 * @example
 * const generation = { user_id: userId, generation_request_id: generationId }
 * const [latest] = (await schema_snapshots.list(serviceDb, generation)).schema_snapshots
 * if (latest) console.log((await schema_snapshots.find(serviceDb, { user_id: userId, id: latest.id }))?.ddl)
 */
export async function find(db: AnyDatabase, { user_id, id }: SchemaSnapshotRef): Promise<SchemaSnapshot | undefined> {
  return db
    .selectFrom('schema_snapshots')
    .select([...metadata, 'tables', 'ddl'])
    .where('user_id', '=', user_id)
    .where('id', '=', id)
    .executeTakeFirst()
}

/**
 * Reads a schema snapshot that has to exist, as `find` does. For its user, and for services.
 *
 * @throws {NotFoundError} `not_found`: it does not exist or belongs to another user.
 * @example
 * const generation = { user_id: userId, generation_request_id: generationId }
 * const [latest] = (await schema_snapshots.list(serviceDb, generation)).schema_snapshots
 * if (latest) console.log((await schema_snapshots.get(serviceDb, { user_id: userId, id: latest.id })).ddl)
 */
export async function get(db: AnyDatabase, ref: SchemaSnapshotRef): Promise<SchemaSnapshot> {
  const snapshot = await find(db, ref)
  if (snapshot === undefined) throw notFound()
  return snapshot
}

/**
 * Compares two schema snapshots. For their user, and for services. A renamed table or column is reported as one removed
 * and one added.
 *
 * @returns the differences by table and column; empty if the snapshots are equal.
 * @throws {NotFoundError} `not_found`: one of them does not exist or belongs to another user.
 * @example
 * const generation = { user_id: userId, generation_request_id: generationId }
 * const [latest, earlier] = (await schema_snapshots.list(serviceDb, generation)).schema_snapshots
 * if (latest && earlier) {
 *   const pair = { user_id: userId, from_id: earlier.id, to_id: latest.id }
 *   for (const { table_name, change } of await schema_snapshots.diff(serviceDb, pair)) console.log(table_name, change)
 * }
 */
export async function diff(
  db: AnyDatabase,
  { user_id, from_id, to_id }: { readonly user_id: UserId; readonly from_id: bigint; readonly to_id: bigint },
): Promise<SchemaDifference[]> {
  // The left join returns one row at least if both exist, so that equal snapshots differ from missing ones.
  const { rows } = await sql<SchemaDifference | { table_name: null }>`
    select d.table_name, d.column_name, d.change, d.before, d.after
    from schema_snapshots as earlier
    join schema_snapshots as later on later.user_id = earlier.user_id
    left join lateral public.diff_schema_snapshots(earlier.id, later.id) as d on true
    where earlier.user_id = ${user_id} and earlier.id = ${from_id} and later.id = ${to_id}
  `.execute(db)
  if (rows.length === 0) throw notFound()
  return rows.filter((row): row is SchemaDifference => row.table_name !== null)
}

const notFound = (): NotFoundError => new NotFoundError('not_found', 'the user has no such schema snapshot')
