import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import type { BatchProgress } from '../../core/batch-progress.ts'
import { BatchSize, patiently, politeness, prepareBatches } from '../../core/batches.ts'
import { Failure } from '../../core/failure.ts'
import { printable } from '../../core/text.ts'
import { aged, kept } from './policy.ts'
import type { Aged } from './policy.ts'

/**
 * Deletes by age what the policy lists. Runs as the owner: nobody else may delete from what is append-only.
 *
 * Goes through each primary key from its low end to its high one, so many ids at a time, and deletes what is due among
 * them. It does not stop at the first row that is too young: ids rise with time only nearly (a long transaction, a
 * clean-up that took months), and one young row must not hide the old ones behind it.
 * A run that was stopped, or killed, begins again; what it deleted is gone.
 */

/** Days; more than 270 years. */
const longest = 99_999

export interface Rule extends Aged {
  readonly table: string
}

export interface Due {
  readonly rule: Rule
  readonly rows: number
  readonly due: number
  /** Day of the oldest row that is due. */
  readonly oldest: string | null
  /** What is older goes; microseconds and all. */
  readonly cutoff: string
}

/**
 * The policy, with other ages for some tables: `user_activity_log=90d,cleanup_outbox=7d`.
 * @throws Failure for a table that nothing is deleted from by age, and an age that is none.
 */
export function readRules(ages = ''): Rule[] {
  const days = new Map<string, number>()
  for (const part of ages.split(',').filter((text) => text.trim() !== '')) {
    const [, table = '', count = ''] = /^\s*([a-z_]+)\s*=\s*(-?\d+)d\s*$/.exec(part) ?? []
    const names = Object.keys(aged).map((name) => name.replace('public.', ''))
    if (!names.includes(table)) {
      throw new Failure(`age=${printable(part.trim())} is invalid`, `write <table>=<days>d, the table is one of ${names.join(', ')}`)
    }
    if (Number(count) < 1 || Number(count) > longest) {
      throw new Failure(`age=${table}=${count}d is out of range`, `write 1d to ${longest}d`)
    }
    days.set(`public.${table}`, Number(count))
  }
  return Object.entries(aged).map(([table, rule]) => ({ table, ...rule, days: days.get(table) ?? rule.days }))
}

/** What would be deleted now. */
export async function lookForDue(client: pg.Client, rules: readonly Rule[]): Promise<Due[]> {
  // Row security off: a role that sees only some of the rows fails, instead of missing the others.
  await client.query(`
    begin isolation level repeatable read read only;
    set local row_security = off;
    set local statement_timeout = '30min'`)
  try {
    const found: Due[] = []
    for (const rule of rules) {
      const { rows: times } = await client.query<{ cutoff: string }>(
        'select (now() - make_interval(days => $1))::text as cutoff',
        [rule.days],
      )
      const { cutoff } = times[0]!
      const { rows } = await client.query<{ rows: string; due: string; oldest: string | null }>(
        `select count(*) as rows, count(*) filter (where since < $1::timestamptz) as due,
           to_char(min(since) filter (where since < $1::timestamptz) at time zone 'UTC', 'YYYY-MM-DD') as oldest
         from (select ${rule.since} as since from ${rule.table} as t offset 0) as aged`,
        [cutoff],
      )
      const { rows: count, due, oldest } = rows[0]!
      found.push({ rule, rows: Number(count), due: Number(due), oldest, cutoff })
    }
    return found
  } finally {
    await client.query('rollback')
  }
}

export interface RetentionOptions {
  readonly signal?: AbortSignal
  readonly report?: (progress: BatchProgress) => void
}

/** @returns how many rows were deleted of each table; with `isDone` false when `signal` stopped it. */
export async function deleteDue(
  client: pg.Client,
  found: readonly Due[],
  options: RetentionOptions = {},
): Promise<{ isDone: boolean; deleted: Map<string, number> }> {
  await prepareBatches(client)
  await client.query('set row_security = off')
  const deleted = new Map<string, number>()
  for (const due of found) {
    for await (const count of batches(client, due, options)) {
      deleted.set(due.rule.table, (deleted.get(due.rule.table) ?? 0) + count)
      if (options.signal?.aborted) return { isDone: false, deleted }
    }
  }
  return { isDone: true, deleted }
}

async function* batches(
  client: pg.Client,
  { rule: { table, since }, rows: total, due, cutoff }: Due,
  { report, signal }: RetentionOptions,
): AsyncGenerator<number> {
  if (due === 0) return
  const phase = table.replace('public.', '')
  const size = new BatchSize(100)
  let done = 0
  const say = (pause: string) => report?.({ phase, done, total, batch: size.rows, pause })
  const giveWay = politeness(client, [table], say, signal)
  const statement = `
    with page as materialized (
      select t.id, ${since} < $3::timestamptz as is_due
      from ${table} as t
      where t.id > $1
      order by t.id
      limit $2
    ), gone as (
      delete from ${table} as t using page where t.id = page.id and page.is_due and ${since} < $3::timestamptz
      returning 1
    )
    select max(id) as last, count(*)::integer as looked, (select count(*)::integer from gone) as deleted from page`
  for (let after = '-9223372036854775808'; ; ) {
    await giveWay()
    const started = performance.now()
    const result = await patiently<{ last: string | null; looked: number; deleted: number }>(client, statement, [
      after,
      size.rows,
      cutoff,
    ])
    const { last, looked, deleted } = result.rows[0]!
    if (last === null) return
    after = last
    done += looked
    report?.({ phase, done, total: Math.max(total, done), batch: size.rows })
    size.took(performance.now() - started)
    yield deleted
  }
}

/** Tables that the policy forgot, and those that it names and that are not there. */
export async function compareWithPolicy(client: pg.Client): Promise<{ forgotten: string[]; missing: string[] }> {
  const { rows } = await client.query<{ name: string }>(`
    select format('%I.%I', relnamespace::regnamespace, relname) as name
    from pg_class
    where relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and relkind in ('r', 'p') and not relispartition
    order by 1`)
  const tables = rows.map(({ name }) => name)
  const named = [...Object.keys(aged), ...Object.keys(kept)]
  return {
    forgotten: tables.filter((table) => !named.includes(table)),
    missing: named.filter((table) => !tables.includes(table)),
  }
}
