import type pg from 'pg'
import { type DefaultPrivileges, installAuth, installRoles } from '../../db/testing/supabase.ts'
import { withClient } from '../core/connect.ts'
import { withDatabase } from '../core/target.ts'
import type { Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'

export type { DefaultPrivileges }

/**
 * An empty database as hosted Supabase hands it out, owned by the non-superuser `postgres`, on a cluster of ours.
 * Looks before each step, so an interrupted run is taken up where it stopped. The roles that log in get the password
 * of `admin`, who must be a superuser.
 */
export async function createSupabaseDatabase(
  admin: Target,
  name: string,
  privileges: DefaultPrivileges = 'since_2026',
): Promise<void> {
  await withClient(admin, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)} owner postgres`)
  })
  await withClient(withDatabase(admin, name), async (client) => {
    const { rows } = await client.query<{ laid: boolean }>(`select to_regnamespace('auth') is not null as laid`)
    if (!rows[0]?.laid) await installAuth(client, privileges)
  })
}

/** Gives the cluster Supabase's roles, and those that log in the password of `admin`. Harmless to repeat. */
export async function createSupabaseRoles(admin: Target): Promise<void> {
  await withClient(admin, async (client) => {
    await installRoles(client)
    for (const role of ['postgres', 'authenticator', 'supabase_auth_admin']) {
      await client.query(`alter role ${role} password ${client.escapeLiteral(String(admin.pg.password))}`)
    }
  })
}

/**
 * Sees to it that what the migrations lean on is there: on a hosted Supabase it is, on a plain local PostgreSQL the
 * stand-in is laid.
 *
 * @returns whether anything had to be laid.
 */
export async function ensureSupabase(client: pg.Client, target: Target): Promise<boolean> {
  const { rows } = await client.query<{ has_auth: boolean; is_superuser: boolean }>(
    `select to_regclass('auth.users') is not null as has_auth,
            (select rolsuper from pg_roles where rolname = current_user) as is_superuser`,
  )
  const found = rows[0]
  if (found?.has_auth) return false
  if (!target.isLocal) {
    throw new Failure(
      `${target.label} has no table auth.users, so it is not a Supabase database`,
      'check DATABASE_URL; the stand-in for Supabase is laid on local databases only',
    )
  }
  if (!found?.is_superuser) {
    throw new Failure(
      `${target.label} has no table auth.users, and ${target.user} may not lay the stand-in for Supabase`,
      'name a superuser in DATABASE_URL, or unset it to use the embedded server',
    )
  }
  await installRoles(client)
  await installAuth(client, 'since_2026')
  return true
}
