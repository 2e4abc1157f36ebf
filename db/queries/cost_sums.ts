/** What the ledger adds up to; of `costs`. */
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

/** What entries of the ledger add up to. */
export type CostSum = Pick<Row<'generation_costs_by_user'>, (typeof columns)[number]>
/** What a month of UTC cost. */
export type MonthlyCost = CostSum & Pick<Row<'generation_costs_by_month'>, 'month'>
/** What an app cost, or what is for no app. */
export type AppCost = CostSum & Pick<Row<'generation_costs_by_app'>, 'app_id'>

/**
 * What a generation cost. `source` is `snapshots` for one that is older than the ledger: its snapshots tell of tokens
 * and time, at a cost of 0, and what none of them tells is null.
 */
export type GenerationCost = Pick<
  Row<'generation_costs_by_generation'>,
  (typeof columns)[number] | 'app_id' | 'generation_request_id' | 'source'
>

const nothing: CostSum = {
  entries: 0n,
  tokens: 0n,
  input_tokens: 0n,
  output_tokens: 0n,
  cached_tokens: 0n,
  compute_ms: 0n,
  cost_micros: 0n,
}

/**
 * Sums all that a user cost. For the user, and for services.
 *
 * @returns zeros where nothing did.
 * @example
 * const { cost_micros } = await asUser(db, userId, (trx) => costs.sumOfUser(trx, userId))
 */
export async function sumOfUser(db: AnyDatabase, user_id: UserId): Promise<CostSum> {
  const sum = await db
    .selectFrom('generation_costs_by_user')
    .select(columns)
    .where('user_id', '=', user_id)
    .executeTakeFirst()
  return sum ?? nothing
}

const months = keyset('costs.months', 'time')

/**
 * Sums what a user cost by month of UTC, the latest first; months without a cost are left out. For the user, and for
 * services.
 *
 * @returns a page and `next`: the cursor of the page after it, or null. `month` is when it began.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
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
    // A month begins on a whole second, which a Date does hold.
    .$if(after !== undefined, (query) => query.where('month', '<', new Date(Number(after?.[0]))))
    .orderBy('month', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = months.cut(found, page, ({ month }) => [month.getTime()])
  return { months: rows, next }
}

const apps = keyset('costs.apps', 'uuid')

/** Stands for no app, last in the order; no app has this id. */
const noApp = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/**
 * Sums what a user cost by app, deleted ones too, in the order of their ids; last what is for no app (`app_id` null).
 * For the user, and for services.
 *
 * @returns a page and `next`: the cursor of the page after it, or null.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
 * @example
 * const { apps: sums } = await asUser(db, userId, (trx) => costs.sumByApp(trx, { user_id: userId }))
 */
export async function sumByApp(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ apps: AppCost[]; next: string | null }> {
  const after = apps.after(page)
  const place = sql<string>`coalesce(app_id, ${sql.lit(noApp)})`
  const found = await db
    .selectFrom('generation_costs_by_app')
    .select(['app_id', ...columns])
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) => query.where(place, '>', after![0]))
    .orderBy(place)
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = apps.cut(found, page, ({ app_id }) => [app_id ?? noApp])
  return { apps: rows, next }
}

const generations = keyset('costs.generations', 'number', 'uuid')

/**
 * Sums what a user cost by generation, the newest first; last, per app, what is for no generation or for deleted ones
 * (`generation_request_id` null). For the user, and for services.
 *
 * @returns a page and `next`: the cursor of the page after it, or null.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
 * @example
 * const { generations: sums } = await asUser(db, userId, (trx) => costs.sumByGeneration(trx, { user_id: userId }))
 */
export async function sumByGeneration(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ generations: GenerationCost[]; next: string | null }> {
  const after = generations.after(page)
  const number = sql`coalesce(generation_request_id, 0)`
  const place = sql`coalesce(app_id, ${sql.lit(noApp)})`
  const found = await db
    .selectFrom('generation_costs_by_generation')
    .select(['app_id', 'generation_request_id', 'source', ...columns])
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(${number}, ${place}) < (${after?.[0]}::bigint, ${after?.[1]}::uuid)`),
    )
    .orderBy(number, 'desc')
    .orderBy(place, 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = generations.cut(found, page, ({ generation_request_id, app_id }) => [
    generation_request_id ?? 0,
    app_id ?? noApp,
  ])
  return { generations: rows, next }
}

/**
 * Sums what one generation cost. For its user, and for services.
 *
 * @returns `undefined` where nothing is known of it: no cost, and no snapshot that tells; or it is another's.
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
