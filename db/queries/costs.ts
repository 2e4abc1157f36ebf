/** The append-only ledger of the costs of generations, in micro-dollars: 1,000,000 are one US dollar. */
import { CompiledQuery } from 'kysely'
import type { New, Row, UserId } from '../../types/index.ts'
import type { AnyDatabase, ServiceDatabase } from '../client/session.ts'
import { keyset, limitOf } from './page.ts'
import type { Page } from './page.ts'

const entryColumns = [
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

const columns = ['id', ...entryColumns] as const
const insertColumns = ['user_id', ...entryColumns] as const

/** An entry of the ledger. */
export type Cost = Pick<Row<'generation_costs'>, (typeof columns)[number]>

/** An entry to insert. Numbers that are absent are 0; `app_id`, if absent, is the generation's app. */
export type NewCost = Omit<New<'generation_costs'>, 'id' | 'corrects_id'>

/** A correction of an entry: amounts to add, negative if the entry is too high. */
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

/** Whether the entry was inserted, or an entry with its idempotency key exists, which is not changed. */
export type InsertResult = { readonly outcome: 'inserted'; readonly id: bigint } | { readonly outcome: 'repeated' }

const insertText = `
  insert into generation_costs (${insertColumns.join(', ')})
  values (
    $1, $2, $3, $4,
    -- A correction has the kind of the corrected row. If that does not exist, the foreign key reports it.
    coalesce($5, (select kind from generation_costs where user_id = $1 and id = $12), 'other'),
    $6, coalesce($7::bigint, 0), coalesce($8::bigint, 0), coalesce($9::bigint, 0), coalesce($10::bigint, 0),
    coalesce($11::bigint, 0), $12, $13, coalesce($14, now())
  )
  on conflict (user_id, idempotency_key) do nothing
  returning id`

/**
 * Inserts a cost into the ledger. For services. In the transaction of the work that it is for, both commit or neither
 * does.
 *
 * @param cost `idempotency_key` identifies the event that caused the cost, such as `generation-7:iteration-3:tokens`.
 * @returns `inserted` with the id; `repeated` if the user has an entry with this key, even if other values differ.
 * @throws {ConstraintError} `negative_cost`, `cost_out_of_range`, `idempotency_key_form`, `model_not_printable`,
 *   `iteration_number_negative`; `generation_not_found`, `user_not_found`.
 * @throws {RuleError} `unknown_app`: not the app of the generation or of the user; `unknown_iteration`.
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
export const insert = (db: ServiceDatabase, cost: NewCost): Promise<InsertResult> => insertEntry(db, cost)

/**
 * Corrects a cost by inserting an entry with the same app, generation, iteration, kind and model. For services.
 *
 * @returns `inserted` with the id; `repeated` if the user has an entry with this key, even if other values differ.
 * @throws {ConstraintError} `corrected_cost_not_found`: the user has no entry with this id; `cost_out_of_range`,
 *   `idempotency_key_form`.
 * @example
 * const { entries } = await costs.listEntries(serviceDb, { user_id: userId })
 * for (const { id, cost_micros } of entries) {
 *   const correction = { user_id: userId, corrects_id: id, cost_micros: -cost_micros, idempotency_key: `refund-${id}` }
 *   await costs.correct(serviceDb, correction)
 * }
 */
export const correct = (db: ServiceDatabase, correction: Correction): Promise<InsertResult> => insertEntry(db, correction)

async function insertEntry(db: ServiceDatabase, cost: NewCost | Correction): Promise<InsertResult> {
  const values = insertColumns.map((column) => (cost as Partial<New<'generation_costs'>>)[column] ?? null)
  const { rows } = await db.executeQuery<{ id: bigint }>(CompiledQuery.raw(insertText, values))
  const [row] = rows
  return row === undefined ? { outcome: 'repeated' } : { outcome: 'inserted', id: row.id }
}

const order = keyset('costs', 'number')

/**
 * Lists the ledger entries of a user, the last inserted first. Corrections are separate entries. For the user, and for
 * services.
 *
 * @returns a page, empty if there are none, and `next`: the cursor of the next page, or null.
 * @throws {RangeError} `limit` is not 1 to 100.
 * @throws {InvalidCursorError} `invalid_cursor`: the cursor is not one of this list.
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
