import type pg from 'pg'
import { accessQueries } from './access.ts'
import { partQueries } from './parts.ts'
import { relationQueries } from './relations.ts'
import { routineQueries } from './routines.ts'
import { typeQueries } from './types.ts'
import type { Catalog, CatalogObject } from './model.ts'

/**
 * Everything that a migration can make or change, in all schemas but the system's, of one moment.
 *
 * Roles belong to the cluster: read base before the migrations of head run.
 */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  await client.query('begin isolation level repeatable read read only')
  try {
    return await readCatalogHere(client)
  } finally {
    await client.query('rollback')
  }
}

/** The same in the transaction that the caller has begun, whose settings it changes. */
export async function readCatalogHere(client: pg.Client): Promise<Catalog> {
  // One query of many statements: one round trip, and an array of results that pg's types know nothing of.
  const results = (await client.query(script)) as unknown as pg.QueryResult<CatalogObject>[]
  const objects = results.flatMap(({ rows }) => rows)
  return { objects, byId: new Map(objects.map((object) => [object.id, object])) }
}

/** Every name in a text is qualified, and no text depends on who reads it. */
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
