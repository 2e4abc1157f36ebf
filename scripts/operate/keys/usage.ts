import type pg from 'pg'
import { sealedTables } from './tables.ts'
import type { SealedTable } from './tables.ts'

/** How many rows of a table a key sealed. */
export interface KeyUsage {
  readonly table: SealedTable
  readonly keyId: string
  readonly rows: number
}

/**
 * From one key to the next, and not `group by`: that would read every sealed text to find its key. It cannot be an
 * index-only scan, since the planner does not see that an expression which the index has needs no column; but of the
 * rows it looks at nothing but whether they are visible.
 */
export const usageOf = ({ name, keyId, where }: SealedTable): string => `
  with recursive keys (key_id) as (
    (select ${keyId} from ${name} where ${where} order by ${keyId} limit 1)
    union all
    select (select ${keyId} from ${name} where ${where} and ${keyId} > keys.key_id order by ${keyId} limit 1)
    from keys
    where keys.key_id is not null
  )
  select key_id, (select count(*) from ${name} where ${where} and ${keyId} = key_id)::integer as rows
  from keys
  where key_id is not null`

/** By index, whatever the planner makes of few rows: it does not know that it costs most to fetch what is cut out. */
export const byIndex = 'set local enable_seqscan = off; set local enable_bitmapscan = off'

/** One moment of all tables; a row that another role may hide is an error. */
export async function countKeys(client: pg.Client): Promise<KeyUsage[]> {
  await client.query(`begin isolation level repeatable read read only; set local row_security = off; ${byIndex}`)
  try {
    const counted: KeyUsage[] = []
    for (const table of sealedTables) {
      const { rows } = await client.query<{ key_id: string; rows: number }>(usageOf(table))
      counted.push(...rows.map(({ key_id, rows }) => ({ table, keyId: key_id, rows })))
    }
    return counted
  } finally {
    await client.query('rollback')
  }
}

/** The last of the indexes that counting by key needs. */
export const keyIndex = 'public.cleanup_outbox_sealing_key_id_sealed_idx'
