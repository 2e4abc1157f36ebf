import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { root } from './paths.ts'

/** The default privileges of the API roles, by the age of a Supabase project. */
export type DefaultPrivileges = 'until_2026' | 'since_2026'

/** Creates the roles of Supabase in a cluster, as a superuser. Idempotent. */
export const installRoles = async (client: pg.Client): Promise<unknown> => client.query(await standIn('roles.sql'))

/** Creates the schema `auth` in an empty database, in one transaction, since it is one simple query. */
export const installAuth = async (client: pg.Client, privileges: DefaultPrivileges): Promise<unknown> =>
  client.query(`${await standIn('auth.sql')}\n${await standIn(`default_privileges_${privileges}.sql`)}`)

const standIn = (file: string): Promise<string> => readFile(join(root, 'db/supabase', file), 'utf8')
