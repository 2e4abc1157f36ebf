import type pg from 'pg'

export interface TableSize {
  readonly table: string
  /** An estimate from statistics. */
  readonly rows: number
  /** Of its rows, without indexes and long values out of line. */
  readonly bytes: number
  /** Of everything. */
  readonly total_bytes: number
}

/** From the statistics and the current size of the files: to count millions of rows would take too long. */
export async function readSizes(client: pg.Client, names: readonly string[]): Promise<TableSize[]> {
  const { rows } = await client.query<TableSize>(
    `select name as table,
       round(case when c.relpages > 0 then c.reltuples / c.relpages * b.pages else greatest(s.n_live_tup, b.pages * 20) end)::float8 as rows,
       b.bytes::float8 as bytes, pg_total_relation_size(c.oid)::float8 as total_bytes
     from unnest($1::text[]) as name
     join pg_class as c on c.oid = to_regclass(name)
     left join pg_stat_all_tables as s on s.relid = c.oid
     cross join lateral (
       select pg_relation_size(c.oid) as bytes, pg_relation_size(c.oid) / current_setting('block_size')::integer as pages
     ) as b
     order by total_bytes desc`,
    [names],
  )
  return rows
}
