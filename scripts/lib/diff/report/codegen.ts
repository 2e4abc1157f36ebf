import { Cli } from 'kysely-codegen'
import type { Target } from '../../database-url.ts'

/** `types/db.ts` as this database and these settings make it; in this process, for starting another takes a second. */
export async function generateTypes(target: Target, config: string): Promise<string> {
  const cli = new Cli()
  const options = cli.parseOptions([], { config: JSON.parse(config) as Record<string, unknown> })
  return cli.generate({ ...options, logLevel: 'silent', outFile: null, url: target.dbmateUrl })
}
