import type pg from 'pg'
import { orFailure, withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'

/** Of one query: none may run for ever on a live database, and the limit of the role may be too short for millions. */
const statementTimeout = '10min'

/**
 * Runs `work` in a transaction that can write nothing and sees one moment of the database. It takes ACCESS SHARE locks
 * only; rather than wait long for one it fails. All settings are the transaction's own, so a pooler may stand between.
 */
export async function readOnly<T>(target: Target, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return withClient(target, (client) => orFailure(target, () => snapshot(client, () => work(client))))
}

async function snapshot<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin transaction isolation level repeatable read, read only')
  try {
    await client.query(`
      set local statement_timeout = '${statementTimeout}';
      set local idle_in_transaction_session_timeout = '${statementTimeout}';
      set local lock_timeout = '2s';
      set local search_path = '';
      -- A role that would see only some of the rows fails, instead of counting those.
      set local row_security = off;
      set local jit = off;
      -- The other cores are the service's.
      set local max_parallel_workers_per_gather = 0;
      set local work_mem = '64MB'`)
    // New in 17.
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
