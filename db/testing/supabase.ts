import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { root } from './paths.ts'

/** What a Supabase project of that age grants by default to the API roles. */
export type DefaultPrivileges = 'until_2026' | 'since_2026'

/** Gives a cluster Supabase's roles; `client` is a superuser's. Harmless to repeat. */
export const layRoles = async (client: pg.Client): Promise<unknown> => client.query(await standIn('roles.sql'))

/** Gives an empty database the schema `auth`. One simple query, so one transaction: all or nothing. */
export const layAuth = async (client: pg.Client, privileges: DefaultPrivileges): Promise<unknown> =>
  client.query(`${await standIn('auth.sql')}\n${await standIn(`default_privileges_${privileges}.sql`)}`)

const standIn = (file: string): Promise<string> => readFile(join(root, 'db/supabase', file), 'utf8')
