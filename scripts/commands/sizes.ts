import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import type pg from 'pg'
import { LeoCommand } from '../core/command.ts'

/** Rows of tables up to this size are counted: statistics of small tables may be missing. */
const countedBytes = 1024 ** 2

export const command = new LeoCommand({
  name: 'sizes',
  summary: 'Write rows (estimated for large tables) and bytes of each table to a file for make diff, read only',
  example: 'sizes file=sizes.json',
  reads: ['DATABASE_URL'],
})
  .requiredOption('--file <path>', 'the file')
  .run<{ file: string }>(async ({ file }) => {
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { readSizes } = await import('../schema/measure/sizes.ts')
    await onDatabase([], async (client, { label }) => {
      await client.query(`begin read only; set local lock_timeout = '1s'; set local row_security = off`)
      const { rows } = await client.query<{ name: string }>(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname !~ '^pg_' and schemaname not in ('information_schema', 'dbmate')`,
      )
      const sizes = await readSizes(client, rows.map(({ name }) => name))
      const byName: [string, { rows: number; bytes: number; is_estimate: boolean }][] = []
      for (const { table, rows, bytes: ofRows, total_bytes: bytes } of sizes.sort((a, b) => (a.table < b.table ? -1 : 1))) {
        const counted = ofRows <= countedBytes ? await countRows(client, table) : undefined
        byName.push([table, { rows: counted ?? rows, bytes, is_estimate: counted === undefined }])
      }
      await writeFile(file, `${JSON.stringify(Object.fromEntries(byName), null, 2)}\n`)
      process.stderr.write(`wrote the sizes of ${sizes.length} tables of ${label} to ${file}\n`)
    })
  })

async function countRows(client: pg.Client, table: string): Promise<number | undefined> {
  await client.query('savepoint before_count')
  try {
    const { rows } = await client.query<{ count: string }>(`select count(*) as count from ${table}`)
    return Number(rows[0]?.count)
  } catch {
    // The table belongs to another role. The estimate needs no privilege.
    await client.query('rollback to before_count')
    return undefined
  }
}
