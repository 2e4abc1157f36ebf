import type pg from 'pg'
import { examineEnums, examineTables, examineColumns, examineSequences } from './tables.ts'
import { examineConstraints, examineIndexes, examineBehaviour } from './constraints.ts'
import { examineViews, examineDependents, examineMentions, examineRowTypes, examinePublications, examineStatistics } from './dependents.ts'
import { examineGrants, examineNames, examineComments } from './access.ts'
import { tables } from './baseline.ts'
import type { Aspect, Difference, Patient } from './difference.ts'
import type { Names } from './names.ts'

export type { Difference }

/**
 * All that is different from the baseline, in the session's transaction. It reads the catalog only, and sets the
 * transaction's `search_path` to nothing, so that the catalog's functions qualify every name.
 */
export async function compare(client: pg.Client, names: Names): Promise<Difference[]> {
  const query: Patient['query'] = async (sql, values = []) => (await client.query(sql, [...values])).rows
  await query(`set local search_path = ''`)
  const found = await query<{ oid: number }>(
    `select to_regclass(name)::oid as oid from unnest($1::text[]) as name where to_regclass(name) is not null`,
    [Object.keys(tables)],
  )
  const patient: Patient = { query, names, oids: found.map(({ oid }) => oid) }
  const differences: Difference[] = []
  for (const aspect of aspects) differences.push(...(await aspect(patient)))
  return differences
}

const aspects: readonly Aspect[] = [
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
