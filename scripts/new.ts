import { relative } from 'node:path'
import process from 'node:process'
import { Failure, main } from './lib/failure.ts'
import { createMigration } from './lib/migrations.ts'

await main(async () => {
  const name = process.argv[2]
  if (!name) throw new Failure('no name is given', 'run make new name=<verb>_<object>')
  console.log(relative(process.cwd(), await createMigration(name)))
})
