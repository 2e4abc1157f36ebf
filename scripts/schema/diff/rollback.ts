import pg from 'pg'
import { directiveLine, fileName, type Migration } from '../../migrate/migrations.ts'
import { readCatalog } from '../catalog/read.ts'
import { diffCatalogs } from '../compare/compare.ts'
import type { Catalog, Change } from '../catalog/model.ts'
import { applySection } from '../live/scratch.ts'
import type { Down, RollbackReport } from './report.ts'

export interface RoundTrip extends RollbackReport {
  /** By file name. */
  readonly downs: ReadonlyMap<string, Down>
}

/**
 * Applies the migrations, rolls them back, the newest first, and applies them again. Recreated objects have new OIDs, so
 * the results are compared by name.
 *
 * @param client of a database with the schema of base, to which the migrations are known to apply.
 */
export async function tryRoundTrip(
  client: pg.Client,
  migrations: readonly Migration[],
  { base, head, changes }: { readonly base: Catalog; readonly head: Catalog; readonly changes: readonly Change[] },
): Promise<RoundTrip> {
  for (const { up, transaction } of migrations) await applySection(client, up, transaction)
  const downs = new Map<string, Down>()
  for (const migration of migrations.toReversed()) {
    const isStopped = [...downs.values()].some(({ outcome }) => outcome !== 'undoes')
    downs.set(fileName(migration), isStopped ? notReached : await undo(client, migration))
  }
  const undone = migrations.filter((one) => downs.get(fileName(one))?.outcome === 'undoes')
  const isReversible = undone.length === migrations.length
  const afterDown = isReversible ? differences(base, await readCatalog(client)) : []
  const failure = await redo(client, undone)
  const afterUp = failure === undefined ? differences(head, await readCatalog(client)) : [failure]
  return { downs, afterDown, afterUp, losses: losses(changes, isReversible) }
}

const notReached: Down = { outcome: 'not reached', why: null, mayRefuse: false }

async function undo(client: pg.Client, migration: Migration): Promise<Down> {
  const line = migration.source.split('\n')[directiveLine(migration, 'down') - 1]
  const mayRefuse = /\braise\s+exception\b/i.test(migration.down)
  try {
    await applySection(client, migration.down, !line!.includes('transaction:false'))
    return { outcome: 'undoes', why: null, mayRefuse }
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    return { outcome: mayRefuse ? 'refuses' : 'fails', why: `${error.message} (${error.code})`, mayRefuse }
  }
}

async function redo(client: pg.Client, migrations: readonly Migration[]): Promise<string | undefined> {
  for (const migration of migrations) {
    try {
      await applySection(client, migration.up, migration.transaction)
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
      return `${fileName(migration)} does not apply again: ${error.message} (${error.code})`
    }
  }
  return undefined
}

/** Roles are ignored: they belong to the cluster, and a rollback keeps them because other databases may use them. */
const differences = (expected: Catalog, actual: Catalog): string[] =>
  diffCatalogs(expected, actual, 'name')
    .filter(({ kind, partOf }) => kind !== 'role' && partOf === null)
    .map(({ action, kind, object, facts }) => {
      const changedFacts = action === 'changed' ? `: ${facts.map(({ fact }) => fact).join(', ')}` : ''
      return `${action} ${kind} ${object}${changedFacts}`
    })

function losses(changes: readonly Change[], isReversible: boolean): string[] {
  const independent = changes.filter(({ partOf, section }) => partOf === null && section === 'structure')
  const holdsData = /^(partitioned )?table$|^column$/
  return [
    ...independent
      .filter(({ action, kind, isRecreated }) => holdsData.test(kind) && (action === 'removed' || isRecreated))
      .map(({ kind, object }) => `${kind} ${object}: a rollback recreates it empty`),
    ...(isReversible ? independent : [])
      .filter(({ action, kind }) => action === 'added' && holdsData.test(kind))
      .map(({ kind, object }) => `${kind} ${object}: a rollback drops the data written to it since`),
  ]
}
