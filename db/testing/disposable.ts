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
import { installAuth, installRoles } from './supabase.ts'

/** The database with the schema, of which test databases are clones. */
export const template = 'leo_template'

/** The owner of the schema, and logins of services: members of leo_api and leo_worker. */
export const logins = { owner: 'postgres', api: 'leo_test_api', worker: 'leo_test_worker' } as const

/** Starts a server with the template, in one folder of the temporary directory. `stop()` removes the folder. */
export async function startDisposable(): Promise<Server> {
  const prefix = join(temporaryFolder(), 'leo-saas-schema-test')
  return usable(prefix, async () => {
    for (const folder of orphans(prefix)) if (isOwn(folder)) await remove(folder)
    const folder = claim(prefix)
    try {
      const at = locateIn(folder)
      const programs = prepare(at)
      await ensureData(folder, throwaway, at, programs)
      const server = await start(folder, throwaway, at, programs, () => remove(folder))
      await createTemplate(server)
      return server
    } catch (error) {
      // If PostgreSQL does not start, its log is kept to be read; the next start removes it.
      if (!(error instanceof Failure)) await remove(folder)
      throw error
    }
  })
}

async function createTemplate(server: Server): Promise<void> {
  const password = new URL(server.url(template)).password
  await withClientAt(server.url('postgres', superuser), async (client) => {
    await installRoles(client)
    await client.query(`alter role postgres password '${password}'`)
    await client.query(`create database ${template} owner postgres`)
  })
  await withClientAt(server.url(template, superuser), (client) => installAuth(client, 'since_2026'))
  const schema = await readFile(join(root, 'db/schema.sql'), 'utf8')
  await withClientAt(server.url(template, logins.owner), (client) => client.query(schema))
  await withClientAt(server.url('postgres', superuser), async (client) => {
    await client.query(`create role ${logins.api} login password '${password}' in role leo_api`)
    await client.query(`create role ${logins.worker} login password '${password}' in role leo_worker`)
  })
}

/** Opens a connection, runs `work` with it and closes it. */
export async function withClientAt<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  // A broken connection rejects the running query; its `error` event needs a listener as well.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** A server started by root runs as another user, who may not be able to enter root's temporary directory. */
function temporaryFolder(): string {
  const user = serverUser()
  return [tmpdir(), '/var/tmp'].find((folder) => existsSync(folder) && isReadable(folder, user)) ?? tmpdir()
}

/** Any user can create a folder of that name there. The folder may have been removed by another process. */
const isOwn = (folder: string): boolean =>
  lstatSync(folder, { throwIfNoEntry: false })?.uid === process.geteuid?.()
