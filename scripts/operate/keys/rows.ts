import type pg from 'pg'
import type { SealedSecret } from '../../../db/secrets/index.ts'
import { retryOnLockConflict } from '../../core/batches.ts'
import type { SealedTable } from './tables.ts'

export interface SealedRow {
  readonly id: string
  readonly sealed: string
  readonly context: Readonly<Record<string, string>>
}

export interface RewrappedRow {
  readonly id: string
  readonly old: string
  readonly rewrapped: SealedSecret
}

/** With the longest possible secrets a page has 18 MB. */
const pageRows = 200

/** SQL for a page of rows that one key sealed. `$1` is the key; `$2`, except for the first page, the last id before it. */
export function pageOf({ name, id, idType, column, keyId, where, context }: SealedTable, isFirst: boolean): string {
  return `
    select ${id}::text as id, ${column}::text as sealed, ${context} as context
    from ${name}
    where ${where} and ${keyId} = $1 ${isFirst ? '' : `and ${id} > $2::${idType}`}
    order by ${keyId}, ${name}.${id}
    limit ${pageRows}`
}

/** Runs a task when all earlier ones have ended. */
export type Serialize = <T>(work: () => Promise<T>) => Promise<T>

/** Reads the rows page by page, as the caller consumes them. */
export async function* rowsOf(
  client: pg.Client,
  table: SealedTable,
  keyId: string,
  serialize: Serialize,
): AsyncGenerator<SealedRow> {
  for (let after: string | undefined; ; ) {
    const page = pageOf(table, after === undefined)
    const values = after === undefined ? [keyId] : [keyId, after]
    const { rows } = await serialize(() => client.query<SealedRow>(page, values))
    yield* rows
    after = rows.at(-1)?.id
    if (rows.length < pageRows) return
  }
}

/**
 * Updates each row only if its value is still the one that was re-wrapped. Locked rows are skipped and remain for the
 * next round, so no session waits for another.
 */
const writeStatement = ({ name, id, idType, column }: SealedTable): string => `
  with unchanged as materialized (
    select t.${id} as id, n.rewrapped
    from unnest($1::${idType}[], $2::text[], $3::text[]) as n (id, old, rewrapped)
    join ${name} as t on t.${id} = n.id and t.${column}::text = n.old
    for update of t skip locked
  )
  update ${name} as t set ${column} = unchanged.rewrapped from unchanged where t.${id} = unchanged.id`

/** @returns the number of rows updated. */
export async function write(client: pg.Client, table: SealedTable, rows: readonly RewrappedRow[]): Promise<number> {
  const { rowCount } = await retryOnLockConflict(client, writeStatement(table), [
    rows.map(({ id }) => id),
    rows.map(({ old }) => old),
    rows.map(({ rewrapped }) => rewrapped),
  ])
  return rowCount ?? 0
}
