import { writeFile } from 'node:fs/promises'
import { Argument, LeoCommand } from '../core/command.ts'

const names = ['schema', 'version', 'types', 'diagram', 'api']

export const command = new LeoCommand({
  name: 'generate',
  summary: 'Write all generated files, or the named ones: schema, version, types, diagram, api',
  example: 'generate',
})
  .addArgument(new Argument('[files...]', 'the files to write').choices(names).default(names, 'all'))
  .run(async (_, { args }) => {
    const { step } = await import('../core/progress.ts')
    const { fromRoot } = await import('../core/paths.ts')
    const { withScratchDatabase } = await import('../migrate/scratch-database.ts')
    const { generatedFiles, readCurrent } = await import('../schema/generate/files.ts')
    const files = generatedFiles.filter((file) => args.includes(file.name))
    const paths = files.map((file) => file.path).join(', ')
    const write = () =>
      withScratchDatabase(async (target) => {
        for (const file of files) await writeFile(fromRoot(file.path), await file.generate(target, await readCurrent(file)))
      })
    await step(`writing ${paths}`, write, () => `wrote ${paths}`)
  })
