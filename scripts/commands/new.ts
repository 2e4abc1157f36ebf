import { relative } from 'node:path'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { Failure } from '../core/failure.ts'

export const command = new LeoCommand({
  name: 'new',
  summary: 'Start a migration',
  example: 'new name=create_widgets',
})
  .option('--name <verb_object>', 'its name, in lower case')
  .option('--function <name>', 'a function to change: both sections start with its current definition')
  .run<{ name?: string; function?: string }>(async ({ name, function: changed }) => {
    const { createMigration } = await import('../migrate/migrations.ts')
    const { createFunctionMigration } = await import('../migrate/new-function.ts')
    if (!name && !changed) {
      throw new Failure('no name is given', 'run make new name=<verb>_<object>, or make new function=<name> to change a function')
    }
    const file = changed ? await createFunctionMigration(changed, name) : await createMigration(name ?? '')
    process.stdout.write(`${relative(process.cwd(), file)}\n`)
  })
