import type pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { ownerless } from './rules.ts'
import { allRows, isTheirs, namesThem, readTables } from './tables.ts'
import type { UserTable } from './tables.ts'

/**
 * Erases a user: deletes the row of auth.users, as Supabase Auth does, which takes everything along by foreign keys;
 * then looks into every table of the catalog whether a row names the user still. All in one transaction, so an erasure
 * that forgets a table is none.
 *
 * Not in batches: whoever had deleted a part of it could take nothing back. A delete locks rows that are the user's and no
 * others; 143 MB of snapshots took 0.24 s and 4 MB of WAL, images of pages after a checkpoint not counted.
 */

export interface Count {
  readonly table: string
  readonly rows: number
}

export interface Standing {
  /** Is there such a user? */
  readonly exists: boolean
  /** Rows that are the user's or name them; only tables that have some. */
  readonly counts: readonly Count[]
}

export interface Remains {
  /** What names the user, and may. */
  readonly stays: readonly (Count & { readonly why: string })[]
  /** What names the user and must not. */
  readonly left: readonly Count[]
}

/** What there is of the user. */
export function lookAtUser(client: pg.Client, userId: string): Promise<Standing> {
  return readOnly(client, async () => {
    const { rowCount } = await client.query('select from auth.users where id = $1', [userId])
    const counts: Count[] = []
    for (const table of await readTables(client)) {
      const rows = await count(client, table, `${namesThem(table)} or ${isTheirs(table) ?? false}`, userId)
      if (rows > 0) counts.push({ table: table.name, rows })
    }
    return { exists: rowCount === 1, counts }
  })
}

/** What still names a user who is gone. */
export function lookForRemains(client: pg.Client, userId: string): Promise<Remains> {
  return readOnly(client, () => readRemains(client, userId))
}

async function readOnly<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query(`
    begin isolation level repeatable read read only;
    ${allRows};
    set local statement_timeout = '30min'`)
  try {
    return await work()
  } finally {
    await client.query('rollback')
  }
}

/**
 * @returns what names the user still, and may.
 * @throws Failure when something else does, or the role may not delete users: then everything is as it was.
 */
export async function eraseUser(client: pg.Client, userId: string): Promise<Remains['stays']> {
  await client.query(`
    begin;
    ${allRows};
    set local lock_timeout = '3s';
    set local statement_timeout = '30min'`)
  try {
    // A finished clean-up forgets whose it was, but for a URL that says so.
    await client.query(
      `delete from public.cleanup_outbox where finished_at is not null and strpos(lower(target), $1) > 0`,
      [userId],
    )
    await deleteUser(client, userId)
    // What triggers have put off until the commit would come after the proof.
    await client.query('set constraints all immediate')
    const { stays, left } = await readRemains(client, userId)
    if (left.length > 0) {
      const tables = left.map(({ table, rows }) => `${table} (${rows} rows)`).join(', ')
      throw new Failure(
        `nothing was erased: ${tables} would still name the user`,
        'in a migration give them a foreign key to auth.users on delete cascade; or delete these rows',
      )
    }
    await client.query('commit')
    return stays
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  }
}

async function deleteUser(client: pg.Client, userId: string): Promise<void> {
  try {
    await client.query('delete from auth.users where id = $1', [userId])
  } catch (cause) {
    if ((cause as pg.DatabaseError).code !== '42501') throw cause
    throw new Failure(
      `this role may not delete from auth.users: ${(cause as Error).message}`,
      `delete the user by Supabase Auth (auth.admin.deleteUser('${userId}')), then run it again to prove it`,
      { cause },
    )
  }
}

async function readRemains(client: pg.Client, userId: string): Promise<Remains> {
  const stays: Remains['stays'][number][] = []
  const left: Count[] = []
  for (const table of await readTables(client)) {
    const all = await count(client, table, namesThem(table), userId)
    const { where = 'false', why = '' } = ownerless[table.name]?.stays ?? {}
    const may = all === 0 ? 0 : await count(client, table, `(${namesThem(table)}) and ${where}`, userId)
    if (may > 0) stays.push({ table: table.name, rows: may, why })
    if (all > may) left.push({ table: table.name, rows: all - may })
  }
  return { stays, left }
}

async function count(client: pg.Client, { name }: UserTable, where: string, userId: string): Promise<number> {
  const statement = `select count(*) as rows from ${name} as t where ${where}`
  const { rows } = await client.query<{ rows: string }>(statement, [userId])
  return Number(rows[0]!.rows)
}
