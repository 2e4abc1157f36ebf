import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { withClient } from '../core/connect.ts'
import { Failure, main } from '../core/failure.ts'
import { readSizes } from '../upgrade/preflight/live-state.ts'
import { resolveTarget } from '../postgres/resolve-target.ts'

/** How large each table is, by statistics: read only, and no row of any table is. For `make diff sizes=…`. */
await main(async () => {
  const { file } = parseArgs({ options: { file: { type: 'string', default: '' } } }).values
  if (file === '') throw new Failure('no file is named', 'name it: make sizes file=sizes.json')
  const target = await resolveTarget()
  const sizes = await withClient(target, async (client) => {
    await client.query('begin read only')
    const { rows } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname !~ '^pg_' and schemaname not in ('information_schema', 'dbmate')`,
    )
    return readSizes(client, rows.map(({ name }) => name))
  })
  const byName = sizes
    .sort((a, b) => (a.table < b.table ? -1 : 1))
    .map(({ table, rows, total_bytes: bytes }) => [table, { rows, bytes }])
  await writeFile(file, `${JSON.stringify(Object.fromEntries(byName), null, 2)}\n`)
  process.stderr.write(`wrote the sizes of ${sizes.length} tables of ${target.label} to ${file}\n`)
})
