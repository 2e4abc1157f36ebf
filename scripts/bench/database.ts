import type pg from 'pg'
import { withClient } from '../core/connect.ts'
import type { Target } from '../core/target.ts'
import { migrate } from '../migrate/migrator.ts'
import type { BenchServer } from '../postgres/bench-server.ts'

/** A migrated database with some users, each with an app. */
export async function createMigrated(server: BenchServer, name: string, users = 100): Promise<Target> {
  const target = await server.create(name)
  await migrate(target)
  await withClient(target, async (client) => {
    await client.query(
      `with users as (
         insert into auth.users (id, email, created_at)
         select gen_random_uuid(), n || '@example.com', now() from generate_series(1, $1::int) as n returning id
       )
       insert into apps (user_id, app_name) select id, 'App' from users`,
      [users],
    )
    await client.query('vacuum analyze')
  })
  return target
}

/** A login that is a member of the role. */
export async function loginAs(server: BenchServer, database: Target, role: 'leo_api' | 'leo_worker'): Promise<pg.PoolConfig> {
  const user = `bench_${role}`
  await withClient(server.admin, async (client) => {
    const { rows } = await client.query('select from pg_roles where rolname = $1', [user])
    const password = client.escapeLiteral(String(database.pg.password))
    if (rows.length === 0) await client.query(`create role ${user} login password ${password} in role ${role}`)
  })
  return { ...database.pg, user }
}
