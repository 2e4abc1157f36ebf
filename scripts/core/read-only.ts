import type pg from 'pg'

/**
 * Runs a query in a separate read-only transaction, with short timeouts and an empty `search_path`. With `row_security =
 * off` a query fails if a policy would hide rows from it.
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
