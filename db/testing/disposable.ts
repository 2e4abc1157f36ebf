import { existsSync, lstatSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import pg from 'pg'
import { isReadable, locateIn, prepare, serverUser } from './binaries.ts'
import { claim, orphans } from './claims.ts'
import { ensureData, remove, type Server, start, superuser, throwaway, usable } from './cluster.ts'
import { Failure } from './failure.ts'
import { root } from './paths.ts'
import { layAuth, layRoles } from './supabase.ts'

/** The database with the whole schema that test databases are clones of. */
export const template = 'leo_template'

/** Who owns the schema, and logins as services have them: members of leo_api and of leo_worker. */
export const logins = { owner: 'postgres', api: 'leo_test_api', worker: 'leo_test_worker' } as const

/** A server with the template, all of it in one folder of the system's temporary one; `stop()` leaves nothing. */
export async function startDisposable(): Promise<Server> {
  const prefix = join(temporaryFolder(), 'leo-saas-schema-test')
  return usable(prefix, async () => {
    for (const folder of orphans(prefix)) if (isOurs(folder)) await remove(folder)
    const folder = claim(prefix)
    try {
      const at = locateIn(folder)
      const programs = prepare(at)
      await ensureData(folder, throwaway, at, programs)
      const server = await start(folder, throwaway, at, programs, () => remove(folder))
      await makeTemplate(server)
      return server
    } catch (error) {
      // Where PostgreSQL does not start its log is there to be read; the next start removes it.
      if (!(error instanceof Failure)) await remove(folder)
      throw error
    }
  })
}

async function makeTemplate(server: Server): Promise<void> {
  const password = new URL(server.url(template)).password
  await withClient(server.url('postgres', superuser), async (client) => {
    await layRoles(client)
    await client.query(`alter role postgres password '${password}'`)
    await client.query(`create database ${template} owner postgres`)
  })
  await withClient(server.url(template, superuser), (client) => layAuth(client, 'since_2026'))
  const schema = await readFile(join(root, 'db/schema.sql'), 'utf8')
  await withClient(server.url(template, logins.owner), (client) => client.query(schema))
  await withClient(server.url('postgres', superuser), async (client) => {
    await client.query(`create role ${logins.api} login password '${password}' in role leo_api`)
    await client.query(`create role ${logins.worker} login password '${password}' in role leo_worker`)
  })
}

/** Runs `work` on a connection of its own and closes it. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  // A connection that breaks is told to whoever waits for the query.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Root's server runs as another user, who may be kept out of root's. */
function temporaryFolder(): string {
  const user = serverUser()
  return [tmpdir(), '/var/tmp'].find((folder) => existsSync(folder) && isReadable(folder, user)) ?? tmpdir()
}

/** Anyone may make a folder of that name there. Undefined where somebody else was quicker to remove it. */
const isOurs = (folder: string): boolean =>
  lstatSync(folder, { throwIfNoEntry: false })?.uid === process.geteuid?.()
