/** The apps of the user. For users: call these inside `asUser`; row security restricts them to the user's apps. */
import { CompiledQuery, sql } from 'kysely'
import type { AppId, Row } from '../../types/index.ts'
import { ConstraintError, NotFoundError } from '../client/errors.ts'
import type { UserTransaction } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

/** An app, as `list` returns it. */
export type App = Pick<Row<'apps'>, 'id' | 'app_name' | 'created_at' | 'supabase_project_ref'>

const columns = ['id', 'app_name', 'created_at', 'supabase_project_ref'] as const

/**
 * Creates an app of the user. For users, inside `asUser`.
 *
 * @param app `app_name`: unique among the apps of the user; 1 to 120 characters, not all of them blank.
 * @returns `created` with the app; `name_taken` if the user has an app of this name. Neither aborts the transaction.
 * @throws {ConstraintError} `app_name_blank`, `app_name_too_long`; `user_not_found`: the user was deleted.
 * @example
 * const result = await asUser(db, userId, (trx) => apps.create(trx, { app_name: 'Book club' }))
 * if (result.outcome === 'name_taken') console.log('you have an app of this name')
 */
export async function create(
  trx: UserTransaction,
  { app_name }: { readonly app_name: string },
): Promise<{ outcome: 'created'; app: App } | { outcome: 'name_taken' }> {
  const app = await trx
    .insertInto('apps')
    .values({ user_id: sql`(select auth.uid())`, app_name })
    .onConflict((conflict) => conflict.constraint(uniqueName).doNothing())
    .returning(columns)
    .executeTakeFirst()
  return app === undefined ? { outcome: 'name_taken' } : { outcome: 'created', app }
}

const uniqueName = 'apps_user_id_app_name_key'

/**
 * Renames an app. Its existing generations keep the name that it had when they were enqueued. For users, inside `asUser`.
 *
 * @returns `renamed` with the app; `name_taken` if the user has another app of this name; `not_found` if the app does not
 *   exist or belongs to another user. None of these aborts the transaction.
 * @throws {ConstraintError} `app_name_blank`, `app_name_too_long`.
 * @example
 * const renamed = await asUser(db, userId, (trx) => apps.rename(trx, appId, 'Reading list'))
 */
export async function rename(
  trx: UserTransaction,
  id: AppId,
  app_name: string,
): Promise<{ outcome: 'renamed'; app: App } | { outcome: 'name_taken' } | { outcome: 'not_found' }> {
  // An update has no `on conflict`, and a query beforehand does not see a concurrent transaction that takes the name.
  await sql`savepoint rename_app`.execute(trx)
  try {
    const app = await trx
      .updateTable('apps')
      .set({ app_name })
      .where('id', '=', id)
      .returning(columns)
      .executeTakeFirst()
    await sql`release savepoint rename_app`.execute(trx)
    return app === undefined ? { outcome: 'not_found' } : { outcome: 'renamed', app }
  } catch (error) {
    if (!(error instanceof ConstraintError && error.constraint === uniqueName)) throw error
    await sql`rollback to savepoint rename_app`.execute(trx)
    return { outcome: 'name_taken' }
  }
}

const order = keyset('apps', 'time', 'uuid')

// `case`, because coalesce() is not leakproof, and row security then prevents the use of the index.
const listText = `
  select id, app_name, created_at, supabase_project_ref, (extract(epoch from created_at) * 1000000)::bigint as micros
  from apps
  where (created_at, id) < (
    case when $1::bigint is null then 'infinity' else timestamptz 'epoch' + $1 * interval '1 microsecond' end,
    case when $1 is null then 'ffffffff-ffff-ffff-ffff-ffffffffffff' else $2::uuid end
  )
  order by created_at desc, id desc
  limit $3`

/**
 * Lists the apps of the user, newest first. For users, inside `asUser`.
 *
 * @returns a page, empty if there are none, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const first = await asUser(db, userId, (trx) => apps.list(trx, { limit: 20 }))
 * const second = await asUser(db, userId, (trx) => apps.list(trx, { limit: 20, cursor: first.next }))
 */
export async function list(trx: UserTransaction, page: Page = {}): Promise<{ apps: App[]; next: string | null }> {
  const [time, id] = order.after(page) ?? []
  const query = CompiledQuery.raw(listText, [time ?? null, id ?? null, limitOf(page) + 1])
  const found = await trx.executeQuery<App & { readonly micros: bigint }>(query)
  const { rows, next } = order.cut(found.rows, page, (app) => [app.micros, app.id])
  return { apps: rows.map(({ micros, ...app }) => app), next }
}

const generationColumns = [
  'id',
  'status',
  'generation_type',
  'mode',
  'prompt',
  'current_iteration',
  'max_iterations',
  'github_url',
  'github_commit',
  'deployment_url',
  'error_message',
  'created_at',
  'updated_at',
  'completed_at',
] as const

/** A generation, as `find` of its app returns it. */
export type LatestGeneration = Pick<Row<'generation_requests'>, (typeof generationColumns)[number]>

/** An app with the generation that was enqueued last; null if there is none. */
export interface AppWithGeneration extends App {
  readonly latest_generation: LatestGeneration | null
}

const findText = `
  select a.id as app_id, a.app_name, a.created_at as app_created_at, a.supabase_project_ref, g.*
  from apps as a
  left join lateral (
    select ${generationColumns.map((column) => `r.${column}`).join(', ')}
    from generation_requests as r
    where r.user_id = a.user_id and r.app_id = a.id
    order by r.id desc
    limit 1
  ) as g on true
  where a.id = $1`

type Found = Omit<App, 'id' | 'created_at'> & {
  readonly app_id: AppId
  readonly app_created_at: Date
} & (LatestGeneration | { readonly id: null })

/**
 * Finds an app with its latest generation. For users, inside `asUser`.
 *
 * @returns `undefined` if it does not exist or belongs to another user.
 * @example
 * const app = await asUser(db, userId, (trx) => apps.find(trx, appId))
 * console.log(app?.latest_generation?.status ?? 'no generation yet')
 */
export async function find(trx: UserTransaction, id: AppId): Promise<AppWithGeneration | undefined> {
  const { rows } = await trx.executeQuery<Found>(CompiledQuery.raw(findText, [id]))
  const [row] = rows
  if (row === undefined) return undefined
  const { app_id, app_name, app_created_at, supabase_project_ref, ...generation } = row
  return {
    id: app_id,
    app_name,
    created_at: app_created_at,
    supabase_project_ref,
    latest_generation: generation.id === null ? null : (generation as LatestGeneration),
  }
}

/**
 * Reads an app that has to exist, as `find` does. For users, inside `asUser`.
 *
 * @throws {NotFoundError} `not_found`: it does not exist or belongs to another user.
 * @example
 * const { app_name } = await asUser(db, userId, (trx) => apps.get(trx, appId))
 */
export async function get(trx: UserTransaction, id: AppId): Promise<AppWithGeneration> {
  const app = await find(trx, id)
  if (app === undefined) throw new NotFoundError('not_found', 'the user has no such app')
  return app
}

/**
 * Deletes an app with its generations and their snapshots. Its costs remain in the ledger, and its external resources are
 * inserted into `cleanup_outbox`. For users, inside `asUser`.
 *
 * @returns `not_found` if it does not exist or belongs to another user.
 * @example
 * const { outcome } = await asUser(db, userId, (trx) => apps.delete(trx, appId))
 */
async function remove(trx: UserTransaction, id: AppId): Promise<{ outcome: 'deleted' } | { outcome: 'not_found' }> {
  const deleted = await trx.deleteFrom('apps').where('id', '=', id).returning('id').executeTakeFirst()
  return { outcome: deleted === undefined ? 'not_found' : 'deleted' }
}
export { remove as delete }
