import type pg from 'pg'

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
