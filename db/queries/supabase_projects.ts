/**
 * The pool of Supabase projects in which apps get their databases. For services: users see their app's project in the
 * app.
 */
import { sql } from 'kysely'
import type { AppId, New, Patch, Row } from '../../types/index.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = ['ref', 'pool', 'region', 'capacity', 'used', 'status', 'created_at', 'updated_at'] as const

/** A project of the pool; `used` of its `capacity` places are taken. */
export type SupabaseProject = Pick<Row<'supabase_projects'>, (typeof columns)[number]>
/** A project to add to the pool. */
export type NewSupabaseProject = Pick<New<'supabase_projects'>, 'ref' | 'pool' | 'region' | 'capacity' | 'status'>
/** What to change of a project; what is left out stays as it is. */
export type SupabaseProjectPatch = Pick<Patch<'supabase_projects'>, 'pool' | 'region' | 'capacity' | 'status'>

/**
 * Adds a project to the pool. For services.
 *
 * @param project `ref`: Supabase's own name for it; `capacity`: how many apps it takes; `status`: `active` unless
 *   given.
 * @returns the project as it is then.
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
 * @returns a page and `next`: the cursor of the page after it, or null. `used` counts the places of deleted apps that
 *   are not wiped yet, too.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
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
 * Changes a project: its capacity, or its status: `draining`, so that it gets no new apps, and when its last place is
 * free `retired`. For services.
 *
 * @returns `updated` with the project as it is then, or `not_found`.
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
    // To what it is, so that an empty patch is a statement, too.
    .set({ ...patch, pool: patch.pool ?? sql.ref('pool') })
    .where('ref', '=', ref)
    .returning(columns)
    .executeTakeFirst()
  return project === undefined ? { outcome: 'not_found' } : { outcome: 'updated', project }
}

/** Where an app may get its place; anywhere without it. */
export interface PlaceWish {
  readonly app_id: AppId
  readonly pool?: string
  readonly region?: string
}

/**
 * Gives an app a place in the least used active project, or says which one it has. For services. All allocations wait
 * for each other until they commit: keep the transaction short.
 *
 * @returns `allocated`, with the ref of the project that it has already if it has one, whatever is wished; `exhausted`
 *   where no such project has a place left.
 * @throws {RuleError} `app_not_found`.
 * @throws {ConstraintError} `place_exists`: an app of this id was deleted, and its place is not wiped yet.
 * @example
 * const place = await supabase_projects.allocate(serviceDb, { app_id: appId, region: 'eu-central-1' })
 * if (place.outcome === 'exhausted') console.log('add a project to the pool')
 */
export async function allocate(
  db: ServiceDatabase,
  { app_id, pool, region }: PlaceWish,
): Promise<{ outcome: 'allocated'; ref: string } | { outcome: 'exhausted' }> {
  const { rows } = await sql<{ ref: string | null }>`
    select private.allocate_supabase_project(${app_id}, ${pool ?? null}, ${region ?? null}) as ref
  `.execute(db)
  const ref = rows[0]?.ref ?? null
  return ref === null ? { outcome: 'exhausted' } : { outcome: 'allocated', ref }
}

/**
 * Frees the place of a deleted app, now that what it left there is wiped, and finishes its clean-up. For services;
 * whoever works through `cleanups` says `cleanups.finish` instead, which does the same.
 *
 * @throws {RuleError} `place_not_releasing`: freed before, or still in use.
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
