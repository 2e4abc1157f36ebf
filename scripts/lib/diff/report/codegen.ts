import type { Target } from '../../database-url.ts'
import type { TypesSource } from './git.ts'
import type { Types } from './types.ts'

/** It takes half a second to load: called early, that passes while a server starts. */
export const loadGenerator = () => import('kysely-codegen')

/** The folder `types/` as this database makes it; in this process, for starting another takes a second. */
export async function generateTypes(target: Target, { config, written }: TypesSource): Promise<Types> {
  const { Cli } = await loadGenerator()
  const cli = new Cli()
  const options = cli.parseOptions([], { config: JSON.parse(config) as Record<string, unknown> })
  const db = await cli.generate({ ...options, logLevel: 'silent', outFile: null, url: target.dbmateUrl })
  return { db, written }
}
