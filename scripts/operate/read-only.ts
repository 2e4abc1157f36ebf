import type pg from 'pg'

/** A role that cannot see all rows gets an error in this transaction, instead of a part of the rows. */
export const allRows = 'set local row_security = off'

/**
 * Runs `work` in one read-only snapshot of all rows.
 *
 * @param settings further `set local` statements.
 */
export async function inSnapshot<T>(client: pg.Client, work: () => Promise<T>, settings = ''): Promise<T> {
  await client.query(`begin isolation level repeatable read read only; ${allRows}; ${settings}`)
  try {
    return await work()
  } finally {
    await client.query('rollback')
  }
}
