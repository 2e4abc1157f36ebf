import type pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'

/** For one query. The limit of the role may be too short for a table with millions of rows. */
const statementTimeout = '10min'

/**
 * Runs `work` in a read-only transaction with one snapshot. It takes ACCESS SHARE locks only and fails when it has to wait
 * for one longer than 2 s. All settings are local to the transaction, so the connection may go through a pooler.
 */
export async function readOnly<T>(target: Target, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(target, (client) => orFailure(target, () => inSnapshot(client, () => work(client))))
}

async function inSnapshot<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin transaction isolation level repeatable read, read only')
  try {
    await client.query(`
      set local statement_timeout = '${statementTimeout}';
      set local idle_in_transaction_session_timeout = '${statementTimeout}';
      set local lock_timeout = '2s';
      set local search_path = '';
      -- With row security off, a query fails when the role may not read all rows, and does not count a part of them.
      set local row_security = off;
      set local jit = off;
      -- Leave the other cores to the service.
      set local max_parallel_workers_per_gather = 0;
      set local work_mem = '64MB'`)
    // The setting exists since PostgreSQL 17.
    await client.query(`select set_config(name, '0', true) from pg_settings where name = 'transaction_timeout'`)
    return await work()
  } finally {
    await client.query('rollback').catch(() => undefined)
  }
}

export async function rowsOf<T extends object>(
  client: pg.Client,
  sql: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  return (await client.query<T>(sql, [...values])).rows
}
