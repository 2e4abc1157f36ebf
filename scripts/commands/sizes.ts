import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'sizes',
  summary: 'Write rows and bytes of each table to a file for make diff, read only',
  example: 'sizes file=sizes.json',
  reads: ['DATABASE_URL'],
})
  .requiredOption('--file <path>', 'the file')
  .run<{ file: string }>(async ({ file }) => {
    const { onDatabase } = await import('../migrate/on-database.ts')
    const { readSizes } = await import('../upgrade/preflight/live-state.ts')
    await onDatabase([], async (client, { label }) => {
      await client.query('begin read only')
      const { rows } = await client.query<{ name: string }>(
        `select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname !~ '^pg_' and schemaname not in ('information_schema', 'dbmate')`,
      )
      const sizes = await readSizes(client, rows.map(({ name }) => name))
      const byName = sizes
        .sort((a, b) => (a.table < b.table ? -1 : 1))
        .map(({ table, rows, total_bytes: bytes }) => [table, { rows, bytes }])
      await writeFile(file, `${JSON.stringify(Object.fromEntries(byName), null, 2)}\n`)
      process.stderr.write(`wrote the sizes of ${sizes.length} tables of ${label} to ${file}\n`)
    })
  })
