import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import process from 'node:process'
import { withClient } from '../core/connect.ts'
import { readCatalog } from '../schema/catalog/read.ts'
import { docsPage } from '../schema/docs/page.ts'
import { main } from '../core/failure.ts'
import { tableGroups } from '../schema/generate/files.ts'
import { fromRoot, root } from '../core/paths.ts'
import { step } from '../core/progress.ts'
import { appliedVersions } from '../schema/dump/schema-file.ts'
import { withScratchDatabase } from '../migrate/scratch-database.ts'

/** `make docs`: the schema that the migrations make, as one page to be opened from where it lies. */
const file = fromRoot('build', 'docs', 'schema.html')

await main(async () => {
  await step(
    'describing the schema',
    () =>
      withScratchDatabase(async (target) => {
        const [catalog, versions] = await withClient(target, async (client) => [
          await readCatalog(client),
          await appliedVersions(client),
        ] as const)
        const page = await docsPage(catalog, tableGroups, versions.at(-1)!)
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, page)
      }),
    () => `wrote ${relative(process.cwd(), file) || relative(root, file)}`,
  )
})
