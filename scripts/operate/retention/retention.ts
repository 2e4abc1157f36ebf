import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import type { BatchProgress } from '../../core/batch-progress.ts'
import { BatchSize, retryOnLockConflict, throttleForWaiters, prepareBatches } from '../../core/batches.ts'
import { Failure } from '../../core/failure.ts'
import { printable } from '../../core/text.ts'
import { inSnapshot } from '../read-only.ts'
import { limited, unlimited } from './policy.ts'
import type { RetentionRule } from './policy.ts'

/**
 * Deletes the rows whose retention period has ended. Runs as the owner: no other role may delete from append-only tables.
 *
 * Each table is read in batches in the order of its primary key, and the expired rows of each batch are deleted. The run
 * does not stop at the first row that is not expired: ids follow time only roughly (long transactions, clean-ups that
 * take months), so expired rows can have higher ids.
 * A stopped or killed run keeps what it deleted; the next run starts from the beginning.
 */

/** Days; more than 270 years. */
const maxDays = 99_999

export interface Rule extends RetentionRule {
  readonly table: string
}

/** The expired rows of a table. */
export interface Expired {
  readonly rule: Rule
  /** All rows of the table. */
  readonly rows: number
  readonly expired: number
  /** Date of the oldest expired row. */
  readonly oldest: string | null
  /** Rows from before this time are expired. A text, because a JavaScript date would lose the microseconds. */
  readonly cutoff: string
}

/**
 * The policy, with other ages for some tables: `user_activity_log=90d,cleanup_outbox=7d`.
 *
 * @throws Failure for a table without a retention period, and for an invalid age.
 */
export function readRules(ages = ''): Rule[] {
  const days = new Map<string, number>()
  for (const part of ages.split(',').filter((text) => text.trim() !== '')) {
    const [, table = '', count = ''] = /^\s*([a-z_]+)\s*=\s*(-?\d+)d\s*$/.exec(part) ?? []
    const names = Object.keys(limited).map((name) => name.replace('public.', ''))
    if (!names.includes(table)) {
      throw new Failure(`age=${printable(part.trim())} is invalid`, `write <table>=<days>d, the table is one of ${names.join(', ')}`)
    }
    if (Number(count) < 1 || Number(count) > maxDays) {
      throw new Failure(`age=${table}=${count}d is out of range`, `write 1d to ${maxDays}d`)
    }
    days.set(`public.${table}`, Number(count))
  }
  return Object.entries(limited).map(([table, rule]) => ({ table, ...rule, days: days.get(table) ?? rule.days }))
}

/** Counts the expired rows of each table. Deletes nothing. */
export async function findExpired(client: pg.Client, rules: readonly Rule[]): Promise<Expired[]> {
  const work = async (): Promise<Expired[]> => {
    const found: Expired[] = []
    for (const rule of rules) {
      const { rows: times } = await client.query<{ cutoff: string }>(
        'select (now() - make_interval(days => $1))::text as cutoff',
        [rule.days],
      )
      const { cutoff } = times[0]!
      const { rows } = await client.query<{ rows: string; expired: string; oldest: string | null }>(
        `select count(*) as rows, count(*) filter (where since < $1::timestamptz) as expired,
           to_char(min(since) filter (where since < $1::timestamptz) at time zone 'UTC', 'YYYY-MM-DD') as oldest
         from (select ${rule.since} as since from ${rule.table} as t offset 0) as ages`,
        [cutoff],
      )
      const { rows: count, expired, oldest } = rows[0]!
      found.push({ rule, rows: Number(count), expired: Number(expired), oldest, cutoff })
    }
    return found
  }
  return inSnapshot(client, work, `set local statement_timeout = '30min'`)
}

export interface RetentionOptions {
  readonly signal?: AbortSignal
  readonly report?: (progress: BatchProgress) => void
}

/** @returns the number of deleted rows by table; `isDone` is false when `signal` stopped the run. */
export async function deleteExpired(
  client: pg.Client,
  found: readonly Expired[],
  options: RetentionOptions = {},
): Promise<{ isDone: boolean; deleted: Map<string, number> }> {
  await prepareBatches(client)
  await client.query('set row_security = off')
  const deleted = new Map<string, number>()
  for (const table of found) {
    for await (const count of deleteInBatches(client, table, options)) {
      deleted.set(table.rule.table, (deleted.get(table.rule.table) ?? 0) + count)
      if (options.signal?.aborted) return { isDone: false, deleted }
    }
  }
  return { isDone: true, deleted }
}

/** Yields the number of deleted rows after each batch. */
async function* deleteInBatches(
  client: pg.Client,
  { rule: { table, since }, rows: total, expired, cutoff }: Expired,
  { report, signal }: RetentionOptions,
): AsyncGenerator<number> {
  if (expired === 0) return
  const phase = table.replace('public.', '')
  const size = new BatchSize(100)
  let done = 0
  const onPause = (pause: string) => report?.({ phase, done, total, batch: size.rows, pause })
  const waitForOthers = throttleForWaiters(client, [table], onPause, signal)
  const statement = `
    with page as materialized (
      select t.id, ${since} < $3::timestamptz as is_expired
      from ${table} as t
      where t.id > $1
      order by t.id
      limit $2
    ), deleted as (
      delete from ${table} as t using page where t.id = page.id and page.is_expired and ${since} < $3::timestamptz
      returning 1
    )
    select max(id) as last, count(*)::integer as read, (select count(*)::integer from deleted) as deleted from page`
  for (let after = '-9223372036854775808'; ; ) {
    await waitForOthers()
    const started = performance.now()
    const result = await retryOnLockConflict<{ last: string | null; read: number; deleted: number }>(client, statement, [
      after,
      size.rows,
      cutoff,
    ])
    const { last, read, deleted } = result.rows[0]!
    if (last === null) return
    after = last
    done += read
    report?.({ phase, done, total: Math.max(total, done), batch: size.rows })
    size.took(performance.now() - started)
    yield deleted
  }
}

/** Finds tables that the policy does not list, and listed tables that do not exist. */
export async function compareWithPolicy(client: pg.Client): Promise<{ unlisted: string[]; missing: string[] }> {
  const { rows } = await client.query<{ name: string }>(`
    select format('%I.%I', relnamespace::regnamespace, relname) as name
    from pg_class
    where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and relkind in ('r', 'p') and not relispartition
    order by 1`)
  const tables = rows.map(({ name }) => name)
  const listed = [...Object.keys(limited), ...Object.keys(unlimited)]
  return {
    unlisted: tables.filter((table) => !listed.includes(table)),
    missing: listed.filter((table) => !tables.includes(table)),
  }
}
