import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { Failure, main } from '../core/failure.ts'
import { generatedFiles, readCurrent } from '../schema/generate/files.ts'
import { fromRoot } from '../core/paths.ts'
import { step } from '../core/progress.ts'
import { withScratchDatabase } from '../migrate/scratch-database.ts'

await main(async () => {
  const names = process.argv.slice(2)
  const files = generatedFiles.filter((file) => names.includes(file.name))
  if (files.length === 0 || files.length < names.length) {
    throw new Failure(
      `generate was asked for ${names.join(', ') || 'nothing'}`,
      `name one or more of ${generatedFiles.map((file) => file.name).join(', ')}`,
    )
  }
  await step(
    `writing ${files.map((file) => file.path).join(', ')}`,
    () =>
      withScratchDatabase(async (target) => {
        for (const file of files) {
          await writeFile(fromRoot(file.path), await file.generate(target, await readCurrent(file)))
        }
      }),
    () => `wrote ${files.map((file) => file.path).join(', ')}`,
  )
})
