/**
 * The pool of Supabase projects in which apps have their databases. For services; users read the project of an app from
 * the app.
 */
import { sql } from 'kysely'
import type { AppId, New, Patch, Row } from '../../types/index.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = ['ref', 'pool', 'region', 'capacity', 'used', 'status', 'created_at', 'updated_at'] as const

/** A project of the pool; `used` of its `capacity` allocations are in use. */
export type SupabaseProject = Pick<Row<'supabase_projects'>, (typeof columns)[number]>
/** A project to add to the pool. */
export type NewSupabaseProject = Pick<New<'supabase_projects'>, 'ref' | 'pool' | 'region' | 'capacity' | 'status'>
/** Changes to a project; columns that are absent keep their values. */
export type SupabaseProjectPatch = Pick<Patch<'supabase_projects'>, 'pool' | 'region' | 'capacity' | 'status'>

/**
 * Adds a project to the pool. For services.
 *
 * @param project `ref`: the identifier that Supabase gave it; `capacity`: the number of apps that it holds; `status`:
 *   `active` if absent.
 * @returns the inserted project.
 * @throws {ConstraintError} `supabase_project_exists`; `ref_form`, `pool_not_slug`, `region_not_slug`,
 *   `capacity_not_positive`.
 * @example
 * const project = { ref: 'abcdefghijklmnopqrst', pool: 'free', region: 'eu-central-1', capacity: 50 }
 * await supabase_projects.insert(serviceDb, project)
 */
export async function insert(db: ServiceDatabase, project: NewSupabaseProject): Promise<SupabaseProject> {
  return db.insertInto('supabase_projects').values(project).returning(columns).executeTakeFirstOrThrow()
}

const order = keyset('supabase_projects', 'text')

/**
 * Lists the projects of all pools by ref. For services.
 *
 * @returns a page, and `next`: the cursor of the next page, or null. `used` includes the allocations of deleted apps
 *   whose data is not wiped yet.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { supabase_projects: projects } = await supabase_projects.list(serviceDb)
 */
export async function list(
  db: ServiceDatabase,
  page: Page = {},
): Promise<{ supabase_projects: SupabaseProject[]; next: string | null }> {
  const after = order.after(page)
  const found = await db
    .selectFrom('supabase_projects')
    .select(columns)
    .$if(after !== undefined, (query) => query.where('ref', '>', after![0]))
    .orderBy('ref')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = order.cut(found, page, ({ ref }) => [ref])
  return { supabase_projects: rows, next }
}

/**
 * Changes a project, such as its capacity or status. A `draining` project is allocated no new apps; it can be `retired`
 * when no allocation is left. For services.
 *
 * @returns `updated` with the changed project, or `not_found`.
 * @throws {ConstraintError} `capacity_below_use`, `retired_not_empty`; `capacity_not_positive`, `pool_not_slug`,
 *   `region_not_slug`.
 * @example
 * await supabase_projects.update(serviceDb, 'abcdefghijklmnopqrst', { status: 'draining' })
 */
export async function update(
  db: ServiceDatabase,
  ref: string,
  patch: SupabaseProjectPatch,
): Promise<{ outcome: 'updated'; project: SupabaseProject } | { outcome: 'not_found' }> {
  const project = await db
    .updateTable('supabase_projects')
    // `pool` is always set, so that an empty patch is a valid statement.
    .set({ ...patch, pool: patch.pool ?? sql.ref('pool') })
    .where('ref', '=', ref)
    .returning(columns)
    .executeTakeFirst()
  return project === undefined ? { outcome: 'not_found' } : { outcome: 'updated', project }
}

/** The app, and the projects to choose from: all if `pool` and `region` are absent. */
export interface AllocationOptions {
  readonly app_id: AppId
  readonly pool?: string
  readonly region?: string
}

/**
 * Allocates the least used active project to an app. For services. Allocations are serialized until they commit, so keep
 * the transaction short.
 *
 * @returns `allocated` with the ref of the project, regardless of the options the existing one if the app has one;
 *   `exhausted` if no such project has capacity left.
 * @throws {RuleError} `app_not_found`.
 * @throws {ConstraintError} `place_exists`: an app with this id was deleted, and its data is not wiped yet.
 * @example
 * const allocation = await supabase_projects.allocate(serviceDb, { app_id: appId, region: 'eu-central-1' })
 * if (allocation.outcome === 'exhausted') console.log('add a project to the pool')
 */
export async function allocate(
  db: ServiceDatabase,
  { app_id, pool, region }: AllocationOptions,
): Promise<{ outcome: 'allocated'; ref: string } | { outcome: 'exhausted' }> {
  const { rows } = await sql<{ ref: string | null }>`
    select private.allocate_supabase_project(${app_id}, ${pool ?? null}, ${region ?? null}) as ref
  `.execute(db)
  const ref = rows[0]?.ref ?? null
  return ref === null ? { outcome: 'exhausted' } : { outcome: 'allocated', ref }
}

/**
 * Frees the allocation of a deleted app and finishes its clean-up. Call it after the app's data in the project was wiped.
 * For services. A service that claims `cleanups` calls `cleanups.finish` instead, which does the same.
 *
 * @throws {RuleError} `place_not_releasing`: the allocation was freed before, or is in use.
 * @example
 * try {
 *   await supabase_projects.release(serviceDb, appId)
 * } catch (error) {
 *   if (!(error instanceof RuleError && error.code === 'place_not_releasing')) throw error
 * }
 */
export async function release(db: ServiceDatabase, app_id: AppId): Promise<void> {
  await sql`select private.release_supabase_place(${app_id})`.execute(db)
}
