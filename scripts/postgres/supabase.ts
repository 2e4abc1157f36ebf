import type pg from 'pg'
import { type DefaultPrivileges, installAuth, installRoles } from '../../db/testing/supabase.ts'
import { withClient } from '../core/connect.ts'
import { withDatabase } from '../core/target.ts'
import type { Target } from '../core/target.ts'
import { Failure } from '../core/failure.ts'

export type { DefaultPrivileges }

/**
 * Creates an empty database like one of hosted Supabase, owned by the non-superuser `postgres`. Skips the steps that an
 * interrupted run has completed. `admin` must be a superuser; createSupabaseRoles() must have run on the cluster.
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
    const { rows } = await client.query<{ has_auth: boolean }>(`select to_regnamespace('auth') is not null as has_auth`)
    if (!rows[0]?.has_auth) await installAuth(client, privileges)
  })
}

/** Creates Supabase's roles; those that log in get the password of `admin`. Can be repeated. */
export async function createSupabaseRoles(admin: Target): Promise<void> {
  await withClient(admin, async (client) => {
    await installRoles(client)
    for (const role of ['postgres', 'authenticator', 'supabase_auth_admin']) {
      await client.query(`alter role ${role} password ${client.escapeLiteral(String(admin.pg.password))}`)
    }
  })
}

/**
 * Ensures that the roles and the schema `auth` exist, which the migrations require. Hosted Supabase has them; on a plain
 * local PostgreSQL this installs the stand-in of db/supabase.
 *
 * @returns whether the stand-in was installed.
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
      'check DATABASE_URL; the stand-in for Supabase is installed on local databases only',
    )
  }
  if (!found?.is_superuser) {
    throw new Failure(
      `${target.label} has no table auth.users, and ${target.user} may not install the stand-in for Supabase`,
      `log in as a superuser once (make up DATABASE_URL=postgres://<superuser>:<password>@${target.host}:${target.port}/${target.database}), ` +
        'or unset DATABASE_URL to use the embedded server',
    )
  }
  await installRoles(client)
  await installAuth(client, 'since_2026')
  return true
}
