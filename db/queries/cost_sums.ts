/** Sums of the ledger; exported by `costs.ts`. */
import { sql } from 'kysely'
import type { GenerationId, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const columns = [
  'entries',
  'tokens',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'compute_ms',
  'cost_micros',
] as const

/** The sum of entries of the ledger. */
export type CostSum = Pick<Row<'generation_costs_by_user'>, (typeof columns)[number]>
/** The costs of a month in UTC. */
export type MonthlyCost = CostSum & Pick<Row<'generation_costs_by_month'>, 'month'>
/** The costs of an app; `app_id` is null for costs without an app. */
export type AppCost = CostSum & Pick<Row<'generation_costs_by_app'>, 'app_id'>

/**
 * The costs of a generation. For a generation older than the ledger, `source` is `snapshots`: tokens and time are taken
 * from the metadata of its snapshots, null if they have none, and the cost is 0.
 */
export type GenerationCost = Pick<
  Row<'generation_costs_by_generation'>,
  (typeof columns)[number] | 'app_id' | 'generation_request_id' | 'source'
>

const zero: CostSum = {
  entries: 0n,
  tokens: 0n,
  input_tokens: 0n,
  output_tokens: 0n,
  cached_tokens: 0n,
  compute_ms: 0n,
  cost_micros: 0n,
}

/**
 * Sums all costs of a user. For the user, and for services.
 *
 * @returns the sum; zeros if there are no costs.
 * @example
 * const { cost_micros } = await asUser(db, userId, (trx) => costs.sumOfUser(trx, userId))
 */
export async function sumOfUser(db: AnyDatabase, user_id: UserId): Promise<CostSum> {
  const sum = await db
    .selectFrom('generation_costs_by_user')
    .select(columns)
    .where('user_id', '=', user_id)
    .executeTakeFirst()
  return sum ?? zero
}

const months = keyset('costs.months', 'time')

/**
 * Sums the costs of a user by month in UTC, the latest first, without months that have no costs. For the user, and for
 * services.
 *
 * @returns a page, and `next`: the cursor of the next page, or null. `month` is the start of the month.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { months } = await asUser(db, userId, (trx) => costs.sumByMonth(trx, { user_id: userId, limit: 12 }))
 */
export async function sumByMonth(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ months: MonthlyCost[]; next: string | null }> {
  const after = months.after(page)
  const found = await db
    .selectFrom('generation_costs_by_month')
    .select(['month', ...columns])
    .where('user_id', '=', user_id)
    // A Date is precise enough, because a month begins on a whole second.
    .$if(after !== undefined, (query) => query.where('month', '<', new Date(Number(after?.[0]))))
    .orderBy('month', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = months.cut(found, page, ({ month }) => [month.getTime()])
  return { months: rows, next }
}

const apps = keyset('costs.apps', 'uuid')

/** Represents a missing app, which sorts last; no app has this id. */
const noApp = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/**
 * Sums the costs of a user by app, in the order of their ids. It includes deleted apps, and as the last row the costs
 * without an app (`app_id` null). For the user, and for services.
 *
 * @returns a page, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { apps: sums } = await asUser(db, userId, (trx) => costs.sumByApp(trx, { user_id: userId }))
 */
export async function sumByApp(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ apps: AppCost[]; next: string | null }> {
  const after = apps.after(page)
  const appId = sql<string>`coalesce(app_id, ${sql.lit(noApp)})`
  const found = await db
    .selectFrom('generation_costs_by_app')
    .select(['app_id', ...columns])
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) => query.where(appId, '>', after![0]))
    .orderBy(appId)
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = apps.cut(found, page, ({ app_id }) => [app_id ?? noApp])
  return { apps: rows, next }
}

const generations = keyset('costs.generations', 'number', 'uuid')

/**
 * Sums the costs of a user by generation, the newest first. The last rows are, by app, the costs without a generation or
 * of deleted ones (`generation_request_id` null). For the user, and for services.
 *
 * @returns a page, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
 * @example
 * const { generations: sums } = await asUser(db, userId, (trx) => costs.sumByGeneration(trx, { user_id: userId }))
 */
export async function sumByGeneration(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ generations: GenerationCost[]; next: string | null }> {
  const after = generations.after(page)
  const generationId = sql`coalesce(generation_request_id, 0)`
  const appId = sql`coalesce(app_id, ${sql.lit(noApp)})`
  const found = await db
    .selectFrom('generation_costs_by_generation')
    .select(['app_id', 'generation_request_id', 'source', ...columns])
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(${generationId}, ${appId}) < (${after?.[0]}::bigint, ${after?.[1]}::uuid)`),
    )
    .orderBy(generationId, 'desc')
    .orderBy(appId, 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = generations.cut(found, page, ({ generation_request_id, app_id }) => [
    generation_request_id ?? 0,
    app_id ?? noApp,
  ])
  return { generations: rows, next }
}

/**
 * Sums the costs of one generation. For its user, and for services.
 *
 * @returns `undefined` if it has no costs in the ledger or in its snapshots, or belongs to another user.
 * @example
 * const sum = await asUser(db, userId, (trx) =>
 *   costs.findSumOfGeneration(trx, { user_id: userId, generation_request_id: generationId }))
 */
export async function findSumOfGeneration(
  db: AnyDatabase,
  { user_id, generation_request_id }: { readonly user_id: UserId; readonly generation_request_id: GenerationId },
): Promise<GenerationCost | undefined> {
  return db
    .selectFrom('generation_costs_by_generation')
    .select(['app_id', 'generation_request_id', 'source', ...columns])
    .where('user_id', '=', user_id)
    .where('generation_request_id', '=', generation_request_id)
    .executeTakeFirst()
}
