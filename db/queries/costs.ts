/** The ledger of what building apps costs, in micro-dollars: 1,000,000 are one US dollar. What is written stays. */
import { CompiledQuery } from 'kysely'
import type { New, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase, ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const said = [
  'app_id',
  'generation_request_id',
  'iteration_number',
  'kind',
  'model',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'compute_ms',
  'cost_micros',
  'corrects_id',
  'idempotency_key',
  'created_at',
] as const

const columns = ['id', ...said] as const
const written = ['user_id', ...said] as const

/** An entry of the ledger. */
export type Cost = Pick<Row<'generation_costs'>, (typeof columns)[number]>

/** What a cost is; numbers that are left out are 0, and its app is the generation's. */
export type NewCost = Omit<New<'generation_costs'>, 'id' | 'corrects_id'>

/** What to add to a cost that is in the ledger already: negative where it was too much. */
export type Correction = Pick<
  New<'generation_costs'>,
  | 'user_id'
  | 'idempotency_key'
  | 'cost_micros'
  | 'input_tokens'
  | 'output_tokens'
  | 'cached_tokens'
  | 'compute_ms'
  | 'created_at'
> & { readonly corrects_id: bigint }

/** Whether a cost was written now, or had been before: then it counts once, and says what it said at first. */
export type Booked = { readonly outcome: 'inserted'; readonly id: bigint } | { readonly outcome: 'repeated' }

const insertText = `
  insert into generation_costs (${written.join(', ')})
  values (
    $1, $2, $3, $4,
    -- A correction's is the corrected row's; where there is none, the foreign key is to say so.
    coalesce($5, (select kind from generation_costs where user_id = $1 and id = $12), 'other'),
    $6, coalesce($7::bigint, 0), coalesce($8::bigint, 0), coalesce($9::bigint, 0), coalesce($10::bigint, 0),
    coalesce($11::bigint, 0), $12, $13, coalesce($14, now())
  )
  on conflict (user_id, idempotency_key) do nothing
  returning id`

/**
 * Writes a cost into the ledger. For services; within the transaction of what it is for, it is there exactly when that
 * is.
 *
 * @param cost `idempotency_key` names the event that cost something, such as `generation-7:iteration-3:tokens`.
 * @returns `inserted`; `repeated` where this user has the key already, whatever else is said.
 * @throws {ConstraintError} `negative_cost`, `cost_out_of_range`, `idempotency_key_form`, `model_not_printable`,
 *   `iteration_number_negative`; `generation_not_found`, `user_not_found`.
 * @throws {RuleError} `unknown_app`: not the generation's, or not the user's; `unknown_iteration`.
 * @example
 * const { outcome } = await costs.insert(serviceDb, {
 *   user_id: userId,
 *   generation_request_id: generationId,
 *   iteration_number: 1,
 *   kind: 'tokens',
 *   model: 'gpt-oss-120b',
 *   input_tokens: 12_000n,
 *   output_tokens: 900n,
 *   cost_micros: 4_350n,
 *   idempotency_key: `generation-${generationId}:iteration-1:tokens`,
 * })
 */
export const insert = (db: ServiceDatabase, cost: NewCost): Promise<Booked> => book(db, cost)

/**
 * Corrects a cost by a row of its own, which is for the same app, generation, iteration, kind and model. For services.
 *
 * @returns `inserted`; `repeated` where this user has the key already, whatever else is said.
 * @throws {ConstraintError} `corrected_cost_not_found`: the user has none of this id; `cost_out_of_range`,
 *   `idempotency_key_form`.
 * @example
 * const { entries } = await costs.listEntries(serviceDb, { user_id: userId })
 * for (const { id, cost_micros } of entries) {
 *   const correction = { user_id: userId, corrects_id: id, cost_micros: -cost_micros, idempotency_key: `refund-${id}` }
 *   await costs.correct(serviceDb, correction)
 * }
 */
export const correct = (db: ServiceDatabase, correction: Correction): Promise<Booked> => book(db, correction)

async function book(db: ServiceDatabase, cost: NewCost | Correction): Promise<Booked> {
  const values = written.map((column) => (cost as Partial<New<'generation_costs'>>)[column] ?? null)
  const { rows } = await db.executeQuery<{ id: bigint }>(CompiledQuery.raw(insertText, values))
  const [row] = rows
  return row === undefined ? { outcome: 'repeated' } : { outcome: 'inserted', id: row.id }
}

const order = keyset('costs', 'number')

/**
 * Lists the entries of a user's ledger, the last written first; corrections are entries of their own. For the user, and
 * for services.
 *
 * @returns a page, empty where there are none, and `next`: the cursor of the page after it, or null.
 * @throws {RangeError} a limit that is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`.
 * @example
 * const { entries } = await asUser(db, userId, (trx) => costs.listEntries(trx, { user_id: userId }))
 */
export async function listEntries(
  db: AnyDatabase,
  { user_id, ...page }: { readonly user_id: UserId } & Page,
): Promise<{ entries: Cost[]; next: string | null }> {
  const after = order.after(page)
  const found = await db
    .selectFrom('generation_costs')
    .select(columns)
    .where('user_id', '=', user_id)
    .$if(after !== undefined, (query) => query.where('id', '<', BigInt(after![0])))
    .orderBy('id', 'desc')
    .limit(limitOf(page) + 1)
    .execute()
  const { rows, next } = order.cut(found, page, ({ id }) => [id])
  return { entries: rows, next }
}

export { findSumOfGeneration, sumByApp, sumByGeneration, sumByMonth, sumOfUser } from './cost_sums.ts'
export type { AppCost, CostSum, GenerationCost, MonthlyCost } from './cost_sums.ts'
