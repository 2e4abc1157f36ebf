import process from 'node:process'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { exists } from '../migrate/migrator.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/**
 * `make put-back table=generation_requests id=42`: moves a row that the upgrade set aside from private.quarantine to its
 * table, a generation with its snapshots: all or nothing.
 */
await main(async () => {
  const { table, id } = options()
  const target = await resolveTarget()
  return withClient(target, async (client) => {
    if (!(await exists(client, 'private.quarantine'))) {
      throw new Failure(`${target.label} has no quarantine`, 'run `make migrate` first')
    }
    const count = await putBack(client, table, id)
    if (count === 0) {
      const remedy = `see what is: select table_name, row_id, reason from private.quarantine`
      throw new Failure(`${table} ${id} is not in quarantine`, remedy)
    }
    process.stdout.write(`${target.label}: ${count} rows put back\n`)
  })
})

function options(): { table: string; id: string } {
  const { values } = parseArgs({ options: { table: { type: 'string' }, id: { type: 'string' } } })
  const { table = '', id = '' } = values
  if (!['generation_requests', 'iteration_snapshots'].includes(table) || !/^-?\d{1,10}$/.test(id)) {
    throw new Failure('put-back wants a table and an id', 'make put-back table=generation_requests id=42')
  }
  return { table, id }
}

async function putBack(client: pg.Client, table: string, id: string): Promise<number> {
  try {
    const { rows } = await client.query<{ count: number }>('select private.put_back($1, $2) as count', [table, id])
    return rows[0]?.count ?? 0
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause
    const { code, constraint, message } = cause
    throw new Failure(
      `${table} ${id} stays in quarantine: ${message} (${constraint ?? code})`,
      `repair it: update private.quarantine set content = content || '{"column": "value"}' ` +
        `where table_name = '${table}' and row_id = ${id}`,
      { cause },
    )
  }
}
