import { relative } from 'node:path'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'

export const command = new LeoCommand({
  name: 'new',
  summary: 'Start a migration',
  example: 'new name=create_widgets',
})
  .requiredOption('--name <verb_object>', 'its name, in lower case')
  .run<{ name: string }>(async ({ name }) => {
    const { createMigration } = await import('../migrate/migrations.ts')
    process.stdout.write(`${relative(process.cwd(), await createMigration(name))}\n`)
  })
