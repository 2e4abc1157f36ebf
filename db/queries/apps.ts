/** The user's apps. For users: call these inside `asUser`; row security decides which apps there are. */
import { CompiledQuery, sql } from 'kysely'
import type { AppId, Row } from '../../types/index.ts'
import { ConstraintError, NotFoundError } from '../client/errors.ts'
import type { UserTransaction } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

/** An app, as lists show it. */
export type App = Pick<Row<'apps'>, 'id' | 'app_name' | 'created_at' | 'supabase_project_ref'>

const columns = ['id', 'app_name', 'created_at', 'supabase_project_ref'] as const

/**
 * Makes an app of the user's. For users, inside `asUser`.
 *
 * @param app `app_name`: what it is called, unique among the user's apps; 1 to 120 characters, not all of them blank.
 * @returns `created` with the app, or `name_taken`, by the user's own; the transaction goes on either way.
 * @throws {ConstraintError} `app_name_blank`, `app_name_too_long`; `user_not_found` where the user has been deleted.
 * @example
 * const made = await asUser(db, userId, (trx) => apps.create(trx, { app_name: 'Book club' }))
 * if (made.outcome === 'name_taken') console.log('there is one already')
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
 * Gives an app another name; what was generated so far keeps the one it was enqueued with. For users, inside `asUser`.
 *
 * @returns `renamed` with the app; `name_taken` by another of the user's; `not_found` where it is not theirs. The
 *   transaction goes on in each case.
 * @throws {ConstraintError} `app_name_blank`, `app_name_too_long`.
 * @example
 * const renamed = await asUser(db, userId, (trx) => apps.rename(trx, appId, 'Reading list'))
 */
export async function rename(
  trx: UserTransaction,
  id: AppId,
  app_name: string,
): Promise<{ outcome: 'renamed'; app: App } | { outcome: 'name_taken' } | { outcome: 'not_found' }> {
  // An update knows no `on conflict`, and a look beforehand does not see who takes the name at this moment.
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

// No coalesce(): PostgreSQL takes it for leaky, and under row security such a comparison gets no index.
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
 * Lists the user's apps, newest first. For users, inside `asUser`.
 *
 * @returns a page, empty where there are none, and `next`: the cursor of the page after it, or null.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
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

/** What of a generation its app shows. */
export type LatestGeneration = Pick<Row<'generation_requests'>, (typeof generationColumns)[number]>

/** An app, and the generation of it that was enqueued last; null where there has been none. */
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
 * @returns `undefined` where there is none, or it is not theirs.
 * @example
 * const app = await asUser(db, userId, (trx) => apps.find(trx, appId))
 * console.log(app?.latest_generation?.status ?? 'nothing was generated yet')
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
 * `find` for an app that has to be there. For users, inside `asUser`.
 *
 * @throws {NotFoundError} `not_found`: there is none, or it is not theirs.
 * @example
 * const { app_name } = await asUser(db, userId, (trx) => apps.get(trx, appId))
 */
export async function get(trx: UserTransaction, id: AppId): Promise<AppWithGeneration> {
  const app = await find(trx, id)
  if (app === undefined) throw new NotFoundError('not_found', 'the user has no such app')
  return app
}

/**
 * Deletes an app, its generations and their snapshots; what it has cost stays in the ledger, and what it leaves
 * elsewhere is put down for cleaning up. For users, inside `asUser`.
 *
 * @returns `not_found` where there is none, or it is not theirs.
 * @example
 * const { outcome } = await asUser(db, userId, (trx) => apps.delete(trx, appId))
 */
async function remove(trx: UserTransaction, id: AppId): Promise<{ outcome: 'deleted' } | { outcome: 'not_found' }> {
  const deleted = await trx.deleteFrom('apps').where('id', '=', id).returning('id').executeTakeFirst()
  return { outcome: deleted === undefined ? 'not_found' : 'deleted' }
}
export { remove as delete }
