import { randomBytes, randomUUID } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type pg from 'pg'
import type { DB, UserId } from '../../types/index.ts'
import { createClient, createPool, createServiceClient } from '../client/client.ts'
import { parseUserId } from '../client/ids.ts'
import type { ServiceDatabase } from '../client/session.ts'
import { logins, template, withClientAt } from './disposable.ts'

/** A database with the schema and no rows, and clients for its logins. */
export interface TestDatabase {
  readonly name: string
  /** Connected as the owner of the schema, who bypasses row security: to set up rows and to check results. */
  readonly owner: Kysely<DB>
  /** Connected as an API, with a member of leo_api: for `asUser`. */
  readonly api: Kysely<DB>
  /** Connected as a worker, with a member of leo_worker: for the queries of services. */
  readonly worker: ServiceDatabase
  /** The URLs of the same logins, for a service under test that creates its own pool. */
  readonly urls: { readonly owner: string; readonly api: string; readonly worker: string }
  /** Inserts a user, as a sign-up by Supabase Auth does. */
  signUp(): Promise<UserId>
  /** Closes the clients and drops the database, ending other connections to it. */
  drop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Creates a database for a test file, a clone of the server's template. For tests. Its clients do not keep the process
 * alive.
 *
 * @param server the result of `startTestServer`, or an object with its `url` if another process started it.
 * @returns the database with its clients; `drop()` closes them.
 * @example
 * const db = await createTestDatabase({ url: process.env.TEST_SERVER_URL! })
 * const userId = await db.signUp()
 * await asUser(db.api, userId, (trx) => apps.list(trx))
 * await db.drop()
 */
export async function createTestDatabase({ url }: { readonly url: string }): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await withClientAt(url, (client) => client.query(`create database ${name} template ${template} owner ${logins.owner}`))

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
    await withClientAt(url, (client) => client.query(`drop database ${name} with (force)`))
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
