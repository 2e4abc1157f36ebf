import { randomBytes, randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type pg from 'pg'
import type { DB, UserId } from '../../types/index.ts'
import { createClient, createPool, createServiceClient } from '../client/client.ts'
import { parseUserId } from '../client/ids.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { logins, template, withClient } from './disposable.ts'

/** A database with the whole schema and no rows, and clients for those who use it. */
export interface TestDatabase {
  readonly name: string
  /** As the owner of the schema, whom row security does not hold back: to arrange, and to look at what came of it. */
  readonly owner: Kysely<DB>
  /** As the API logs in, a member of leo_api: what `asUser` takes. */
  readonly api: Kysely<DB>
  /** As a worker logs in, a member of leo_worker: what the service's queries take. */
  readonly worker: ServiceDatabase
  /** The same logins as URLs, for a service under test that makes its own pool. */
  readonly urls: { readonly owner: string; readonly api: string; readonly worker: string }
  /** Signs a new user up, as Supabase Auth would. */
  signUp(): Promise<UserId>
  /** Closes the clients and drops the database, whoever is connected to it. */
  drop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes a database of its own for a test file, a clone of the server's template. Its clients do not keep the process
 * from ending.
 *
 * @param server what `startTestServer` returned, or its `url` where another process started it.
 * @returns the database, with clients for those who use it; `drop()` ends them.
 * @example
 * const db = await createTestDatabase({ url: process.env.TEST_SERVER_URL! })
 * const userId = await db.signUp()
 * await asUser(db.api, userId, (trx) => apps.list(trx))
 * await db.drop()
 */
export async function createTestDatabase({ url }: { readonly url: string }): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await withClient(url, (client) => client.query(`create database ${name} template ${template} owner ${logins.owner}`))

  const urlOf = (login: string): string => {
    const { host, password, search } = new URL(url)
    return `postgres://${login}:${password}@${host}/${name}${search}`
  }
  const urls = { owner: urlOf(logins.owner), api: urlOf(logins.api), worker: urlOf(logins.worker) }
  const owner = createClient(poolOf(urls.owner))
  const api = createClient(poolOf(urls.api))
  const worker = createServiceClient(poolOf(urls.worker))

  const close = async (): Promise<void> => {
    await Promise.all([owner, api, worker].map((client) => client.destroy()))
    await withClient(url, (client) => client.query(`drop database ${name} with (force)`))
  }
  let closed: Promise<void> | undefined
  const drop = (): Promise<void> => (closed ??= close())

  return {
    ...{ name, owner, api, worker, urls, drop },
    async signUp() {
      const id = parseUserId(randomUUID())
      await sql`insert into auth.users (id, email, created_at) values (${id}, ${`${id}@example.com`}, now())`.execute(owner)
      return id
    },
    [Symbol.asyncDispose]: drop,
  }
}

const poolOf = (connectionString: string): pg.Pool => createPool({ connectionString, allowExitOnIdle: true })
