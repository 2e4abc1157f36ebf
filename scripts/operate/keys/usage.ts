import type pg from 'pg'
import { inSnapshot } from '../read-only.ts'
import { sealedTables } from './tables.ts'
import type { SealedTable } from './tables.ts'

/** The number of rows of a table that a key sealed. */
export interface KeyUsage {
  readonly table: SealedTable
  readonly keyId: string
  readonly rows: number
}

/**
 * SQL for the number of rows per key. It steps through the index from one key to the next: `group by` would read every
 * sealed text. The planner does not use an index-only scan for an indexed expression, but the scan reads heap rows only
 * to check their visibility.
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

/** Forces index scans: for few rows the planner prefers others, because it ignores the cost of detoasting the texts. */
export const forceIndexScan = 'set local enable_seqscan = off; set local enable_bitmapscan = off'

/** Counts the rows of all tables in one snapshot. Fails when row security would hide rows. */
export async function countKeys(client: pg.Client): Promise<KeyUsage[]> {
  const work = async (): Promise<KeyUsage[]> => {
    const counted: KeyUsage[] = []
    for (const table of sealedTables) {
      const { rows } = await client.query<{ key_id: string; rows: number }>(usageOf(table))
      counted.push(...rows.map(({ key_id, rows }) => ({ table, keyId: key_id, rows })))
    }
    return counted
  }
  return inSnapshot(client, work, forceIndexScan)
}

/** The last of the indexes that counting by key needs. */
export const keyIndex = 'public.cleanup_outbox_sealing_key_id_sealed_idx'
