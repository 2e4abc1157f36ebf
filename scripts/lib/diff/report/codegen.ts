import type { Target } from '../../database-url.ts'

/** It takes half a second to load: called early, that passes while a server starts. */
export const loadGenerator = () => import('kysely-codegen')

/** `types/db.ts` as this database and these settings make it; in this process, for starting another takes a second. */
export async function generateTypes(target: Target, config: string): Promise<string> {
  const { Cli } = await loadGenerator()
  const cli = new Cli()
  const options = cli.parseOptions([], { config: JSON.parse(config) as Record<string, unknown> })
  return cli.generate({ ...options, logLevel: 'silent', outFile: null, url: target.dbmateUrl })
}
