import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import process from 'node:process'
import { LeoCommand } from '../core/command.ts'
import { fromRoot, root } from '../core/paths.ts'

const file = fromRoot('build', 'docs', 'schema.html')

export const command = new LeoCommand({
  name: 'docs',
  summary: `Write ${relative(root, file)}: every table with its rules and privileges, searchable`,
  example: 'docs',
}).run(async () => {
  const { withClient } = await import('../core/connect.ts')
  const { step } = await import('../core/progress.ts')
  const { withScratchDatabase } = await import('../migrate/scratch-database.ts')
  const { readCatalog } = await import('../schema/catalog/read.ts')
  const { docsPage } = await import('../schema/docs/page.ts')
  const { appliedVersions } = await import('../schema/dump/schema-file.ts')
  const { tableGroups } = await import('../schema/generate/files.ts')
  const write = () =>
    withScratchDatabase(async (target) => {
      const [catalog, versions] = await withClient(target, async (client) => [
        await readCatalog(client),
        await appliedVersions(client),
      ] as const)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, await docsPage(catalog, tableGroups, versions.at(-1)!))
    })
  await step('describing the schema', write, () => `wrote ${relative(process.cwd(), file) || relative(root, file)}`)
})
