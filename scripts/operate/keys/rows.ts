import type pg from 'pg'
import type { SealedSecret } from '../../../db/secrets/index.ts'
import { patiently } from '../../core/batches.ts'
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

/** Of the longest secrets that there can be these are 18 MB. */
export const pageRows = 200

/** A page of what one key sealed: `$1` the key, `$2` the id after which the page begins. */
export function pageOf({ name, id, idType, column, keyId, where, context }: SealedTable, isFirst: boolean): string {
  return `
    select ${id}::text as id, ${column}::text as sealed, ${context} as context
    from ${name}
    where ${where} and ${keyId} = $1 ${isFirst ? '' : `and ${id} > $2::${idType}`}
    order by ${keyId}, ${name}.${id}
    limit ${pageRows}`
}

/** Waits for the connection. */
export type OneByOne = <T>(work: () => Promise<T>) => Promise<T>

/** Page by page, as they are asked for. */
export async function* rowsOf(
  client: pg.Client,
  table: SealedTable,
  keyId: string,
  oneByOne: OneByOne,
): AsyncGenerator<SealedRow> {
  for (let after: string | undefined; ; ) {
    const page = pageOf(table, after === undefined)
    const values = after === undefined ? [keyId] : [keyId, after]
    const { rows } = await oneByOne(() => client.query<SealedRow>(page, values))
    yield* rows
    after = rows.at(-1)?.id
    if (rows.length < pageRows) return
  }
}

/**
 * Each row only if it is what was re-wrapped: not one that somebody has replaced since, nor one that somebody is about
 * to; what is locked is left for the next sweep, and nobody waits for anybody.
 */
const writeOf = ({ name, id, idType, column }: SealedTable): string => `
  with mine as materialized (
    select t.${id} as id, n.rewrapped
    from unnest($1::${idType}[], $2::text[], $3::text[]) as n (id, old, rewrapped)
    join ${name} as t on t.${id} = n.id and t.${column}::text = n.old
    for update of t skip locked
  )
  update ${name} as t set ${column} = mine.rewrapped from mine where t.${id} = mine.id`

/** @returns how many were still what they were. */
export async function write(client: pg.Client, table: SealedTable, rows: readonly RewrappedRow[]): Promise<number> {
  const { rowCount } = await patiently(client, writeOf(table), [
    rows.map(({ id }) => id),
    rows.map(({ old }) => old),
    rows.map(({ rewrapped }) => rewrapped),
  ])
  return rowCount ?? 0
}
