import { relative } from 'node:path'
import process from 'node:process'
import { Failure, main } from '../core/failure.ts'
import { createMigration } from '../migrate/migrations.ts'

await main(async () => {
  const name = process.argv[2]
  if (!name) throw new Failure('no name is given', 'run make new name=<verb>_<object>')
  console.log(relative(process.cwd(), await createMigration(name)))
})
