import { relative } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { Failure, main } from '../core/failure.ts'
import { createMigration } from '../migrate/migrations.ts'
import { createFunctionMigration } from '../migrate/new-function.ts'

await main(async () => {
  const { values } = parseArgs({ options: { name: { type: 'string' }, function: { type: 'string' } } })
  const { name, function: wanted } = values
  if (!name && !wanted) {
    throw new Failure('no name is given', 'run make new name=<verb>_<object>, or make new function=<name> to change a function')
  }
  const file = wanted ? await createFunctionMigration(wanted, name) : await createMigration(name ?? '')
  console.log(relative(process.cwd(), file))
})
