import { parseDatabaseUrl, targetFromEnvironment, type Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'
import { findDevServer } from './server.ts'

/** The name of the database that `make up` creates on the embedded server. */
export const devDatabase = 'leo'

/** The database of `DATABASE_URL`, otherwise that of the running embedded server. Does not start a server. */
export async function resolveTarget(): Promise<Target> {
  const target = targetFromEnvironment()
  if (target) return target
  const server = await findDevServer()
  if (!server) throw new Failure('no database', 'run `make up` or set DATABASE_URL')
  return parseDatabaseUrl(server.url(devDatabase))
}
