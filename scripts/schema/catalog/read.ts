import type pg from 'pg'
import { accessQueries } from './access.ts'
import { partQueries } from './parts.ts'
import { relationQueries } from './relations.ts'
import { routineQueries } from './routines.ts'
import { typeQueries } from './types.ts'
import { catalogOf, type Catalog, type CatalogObject } from './model.ts'

/**
 * Reads, in one snapshot, all objects that a migration can create or change, except those in schemas of PostgreSQL. Reads
 * the system catalog only; waits at most a second for a lock on a view.
 *
 * Roles belong to the cluster: read base before the migrations of head run.
 */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  await client.query(`
    begin isolation level repeatable read read only;
    set local lock_timeout = '1s';
    set local statement_timeout = '30s'`)
  try {
    return await readCatalogHere(client)
  } finally {
    await client.query('rollback')
  }
}

/** Does the same in the transaction of the caller. Changes settings of that transaction. */
export async function readCatalogHere(client: pg.Client): Promise<Catalog> {
  // One query of many statements: one round trip. pg returns an array of results, which its types do not declare.
  const results = (await client.query(script)) as unknown as pg.QueryResult<CatalogObject>[]
  return catalogOf(results.flatMap(({ rows }) => rows))
}

/** With these settings every name in a text is qualified, and no text depends on the session. */
const settings = `
  set local search_path = '';
  set local quote_all_identifiers = off;
  set local timezone = 'UTC';
  set local datestyle = 'ISO, MDY';
  set local intervalstyle = 'postgres';
  set local extra_float_digits = 1;
  set local bytea_output = 'hex'
`

const queries = [...relationQueries, ...partQueries, ...typeQueries, ...routineQueries, ...accessQueries]
const script = [settings, ...queries].join(';')
