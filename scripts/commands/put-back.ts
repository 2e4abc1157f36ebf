import process from 'node:process'
import pg from 'pg'
import { LeoCommand, matching } from '../core/command.ts'
import { Failure } from '../core/failure.ts'

export const command = new LeoCommand({
  name: 'put-back',
  summary: 'Move a repaired row from private.quarantine to its table',
  example: 'put-back table=generation_requests id=42',
  reads: ['DATABASE_URL'],
})
  .requiredOption(
    '--table <table>',
    'its table: generation_requests or iteration_snapshots',
    matching(
      /^(generation_requests|iteration_snapshots)$/,
      'only rows of generation_requests and iteration_snapshots are put in quarantine',
    ),
  )
  .requiredOption('--id <id>', 'its id', matching(/^-?\d{1,10}$/, 'write a whole number'))
  .run<{ table: string; id: string }>(async ({ table, id }) => {
    const { onDatabase } = await import('../migrate/on-database.ts')
    await onDatabase(['private.quarantine'], async (client, { label }) => {
      const count = await putBack(client, table, id)
      if (count === 0) {
        const remedy = 'list its rows: select table_name, row_id, reason from private.quarantine'
        throw new Failure(`${table} ${id} is not in quarantine`, remedy)
      }
      process.stdout.write(`${label}: ${count} rows moved back\n`)
    })
  })

async function putBack(client: pg.Client, table: string, id: string): Promise<number> {
  try {
    const { rows } = await client.query<{ count: number }>('select private.put_back($1, $2) as count', [table, id])
    return rows[0]?.count ?? 0
  } catch (cause) {
    const { code = '', constraint, message } = cause as pg.DatabaseError
    // Errors of connections, privileges, read-only databases and locks do not depend on the row.
    if (!(cause instanceof pg.DatabaseError) || /^(08|25|40|42|53|55|57)/.test(code)) throw cause
    throw new Failure(
      `${table} ${id} stays in quarantine: ${message} (${constraint ?? code})`,
      `repair it: update private.quarantine set content = content || '{"column": "value"}' ` +
        `where table_name = '${table}' and row_id = ${id}`,
      { cause },
    )
  }
}
