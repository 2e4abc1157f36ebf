import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import process from 'node:process'
import { withClient } from './lib/connect.ts'
import { readCatalog } from './lib/diff/catalog.ts'
import { docsPage } from './lib/docs/page.ts'
import { main } from './lib/failure.ts'
import { tableGroups } from './lib/generated.ts'
import { fromRoot, root } from './lib/paths.ts'
import { step } from './lib/progress.ts'
import { appliedVersions } from './lib/schema-file.ts'
import { withScratchDatabase } from './lib/scratch.ts'

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
