import type pg from 'pg'
import { examineEnums, examineTables, examineColumns, examineSequences } from './tables.ts'
import { examineConstraints, examineIndexes, examineBehaviour } from './constraints.ts'
import { examineViews, examineDependents, examineMentions, examineRowTypes, examinePublications, examineStatistics } from './dependents.ts'
import { examineGrants, examineNames, examineComments } from './access.ts'
import { tables } from './baseline.ts'
import type { Check, CheckContext, Difference } from './difference.ts'
import type { Names } from './names.ts'

export type { Difference }

/**
 * Lists all differences from the baseline. Runs in the current transaction, reads the catalog only, and sets the
 * transaction's `search_path` to the empty string, so that the catalog functions qualify all names.
 */
export async function compare(client: pg.Client, names: Names): Promise<Difference[]> {
  const query: CheckContext['query'] = async (sql, values = []) => (await client.query(sql, [...values])).rows
  await query(`set local search_path = ''`)
  const found = await query<{ oid: number }>(
    `select to_regclass(name)::oid as oid from unnest($1::text[]) as name where to_regclass(name) is not null`,
    [Object.keys(tables)],
  )
  const context: CheckContext = { query, names, oids: found.map(({ oid }) => oid) }
  const differences: Difference[] = []
  for (const check of checks) differences.push(...(await check(context)))
  return differences
}

const checks: readonly Check[] = [
  examineTables,
  examineEnums,
  examineColumns,
  examineSequences,
  examineConstraints,
  examineIndexes,
  examineBehaviour,
  examineViews,
  examineDependents,
  examineMentions,
  examineRowTypes,
  examineNames,
  examinePublications,
  examineStatistics,
  examineGrants,
  examineComments,
]
