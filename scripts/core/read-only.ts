import type pg from 'pg'
import { Failure } from './failure.ts'
import type { Target } from './target.ts'

/**
 * Runs a query in a read-only transaction of its own, with short timeouts and an empty `search_path`. `row_security =
 * off` makes a query fail that would count only some of the rows.
 */
export async function readOnly<T extends object>(client: pg.Client, sql: string, values: readonly unknown[] = []): Promise<T[]> {
  await client.query(`
    begin read only;
    set local statement_timeout = '5s';
    set local lock_timeout = '1s';
    set local search_path = '';
    set local row_security = off`)
  try {
    return (await client.query<T>(sql, [...values])).rows
  } finally {
    await client.query('rollback')
  }
}

/** Settings and advisory locks of a session would reach other sessions through a transaction pooler. */
export function refusePooler({ host, port }: Target): void {
  if (port !== 6543) return
  throw new Failure(
    `${host}:${port} is a transaction pooler`,
    'use the direct connection, port 5432 (on Supabase db.<project>.supabase.co:5432)',
  )
}
