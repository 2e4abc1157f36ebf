import { parseDatabaseUrl, targetFromEnvironment, type Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'
import { findDevServer } from './server.ts'

/** The database of `make up`, on the embedded server. */
export const devDatabase = 'leo'

/** The database of `DATABASE_URL`, else the running embedded server's. Starts nothing. */
export async function resolveTarget(): Promise<Target> {
  const target = targetFromEnvironment()
  if (target) return target
  const server = await findDevServer()
  if (!server) throw new Failure('no database', 'run `make up` or set DATABASE_URL')
  return parseDatabaseUrl(server.url(devDatabase))
}
