import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { type Migration, readMigrations } from '../../scripts/migrate/migrations.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import type { DatabaseFixture } from '../fixtures/database.ts'
import { insertTenant } from '../fixtures/rows.ts'

const migrations = await readMigrations()
const template = await createMigratedDatabase(t)
const whole = await dumpSchema(template.target)

/** What stands in the way of each migration that refuses to go down, as the statement that removes it. */
const obstacles: Readonly<Record<string, string>> = {
  create_cleanup_outbox: 'delete from cleanup_outbox',
  add_supabase_project_ref: 'update apps set supabase_project_ref = null',
  create_supabase_project_places: 'delete from supabase_project_places',
  create_supabase_projects: 'delete from supabase_projects',
  create_generation_costs: 'delete from generation_costs',
  create_schema_snapshots: 'delete from schema_snapshots',
  create_user_activity_log: 'delete from user_activity_log',
  create_user_profiles: 'delete from user_profiles',
  create_deployment_config_history: 'delete from deployment_config_history',
  create_generation_events: 'delete from generation_events',
  create_generation_leases: 'delete from private.generation_leases',
  create_upgrade_books: 'delete from private.migration_log; delete from private.quarantine',
  add_queue_columns: 'update generation_requests set idempotency_key = null',
  add_github_commit: 'update generation_requests set github_commit = null',
  create_user_secrets: 'delete from user_secrets',
  create_deployment_config: 'delete from deployment_config',
  create_apps: 'delete from apps',
  create_current_tables: 'truncate iteration_snapshots, generation_requests',
}

t.test('down refuses while there is something to lose; emptied, all go down, and one by one up to the same schema', async (t) => {
  const db = await createMigratedDatabase(t)
  await fill(db)
  for (const migration of migrations.toReversed()) {
    const obstacle = obstacles[migration.name]
    if (obstacle) {
      const before = await ourObjects(db)
      await t.rejects(run(db, migration, 'down'), { code: 'LEO08' }, `${migration.name} refuses`)
      t.strictSame(await ourObjects(db), before, 'and leaves the schema as it was')
      await db.owner.query(obstacle)
    }
    await run(db, migration, 'down')
  }
  t.strictSame(await ourObjects(db), [], 'nothing is left')

  for (const migration of migrations) await run(db, migration, 'up')
  t.equal(await dumpSchema(db.target), whole)
})

/** As dbmate does it, but a hundred times without starting a program; test/full does it through dbmate. */
async function run(db: DatabaseFixture, { transaction, source, up, down }: Migration, direction: 'up' | 'down'): Promise<void> {
  const isAlone = direction === 'up' ? !transaction : source.includes('-- migrate:down transaction:false')
  const sql = direction === 'up' ? up : down
  await withClient(db.target, (client) => client.query(isAlone ? sql : `begin; ${sql}; commit`))
}

t.test('every section that locks anything first bounds how long it waits', async (t) => {
  const isBounded = (sql: string) => /^\s*(--.*\n\s*)*(set local lock_timeout|select '[^']*';\s*$)/.test(sql)
  for (const { name, transaction, up, down, source } of migrations) {
    if (transaction) t.ok(isBounded(up), `${name} up`)
    if (!source.includes('-- migrate:down transaction:false')) t.ok(isBounded(down), `${name} down`)
  }
  t.notOk(isBounded('\n-- a comment\ndrop table apps;'))
})

t.test('a project whose defaults grant everything ends with the same schema and the same access', async (t) => {
  const old = await createEmptyDatabase(t, 'until_2026')
  await old.owner.query('create table canary (id int)')
  const granted = await old.owner.query(`select has_table_privilege('anon', 'canary', 'insert') as by_default`)
  t.strictSame(granted.rows, [{ by_default: true }], 'the defaults are the old ones')
  await old.owner.query('drop table canary')

  await migrate(old.target)
  t.equal(await dumpSchema(old.target), whole)
  t.strictSame(await accessLists(old), await accessLists(template))
})

t.test('the migrating role is no superuser and may create nothing in auth', async (t) => {
  const { rows } = await template.owner.query(
    `select current_user::text as role, rolsuper as super, has_schema_privilege('auth', 'create') as creates
     from pg_roles where rolname = current_user`,
  )
  t.strictSame(rows, [{ role: 'postgres', super: false, creates: false }])
})

async function fill(db: DatabaseFixture): Promise<void> {
  const { requestId } = await insertTenant(db)
  await db.owner.query(`update generation_requests set github_commit = $2, idempotency_key = 'once' where id = $1`, [
    requestId,
    'a'.repeat(40),
  ])
  await db.owner.query(`insert into deployment_config (key, value) values ('region', 'ams')`)
  await db.owner.query(`insert into cleanup_outbox (kind, target) values ('fly_app', 'https://gone.fly.dev')`)
}

async function ourObjects(db: DatabaseFixture): Promise<string[]> {
  const { rows } = await db.owner.query<{ object: string }>(`
    select oid::regclass::text as object from pg_class where relnamespace::regnamespace::text in ('public', 'private')
    union all
    select format('%s.%s', attrelid::regclass, attname) from pg_attribute join pg_class c on c.oid = attrelid
    where relnamespace::regnamespace::text in ('public', 'private') and attnum > 0 and not attisdropped
    union all
    select oid::regprocedure::text from pg_proc where pronamespace::regnamespace::text in ('public', 'private')
    union all
    select oid::regtype::text from pg_type where typnamespace::regnamespace::text in ('public', 'private')
    union all
    select nspname from pg_namespace where nspname = 'private'`)
  return rows.map((row) => row.object)
}

/** Every access list of the schema, entry by entry: what the dump says in its own words, said by the catalog. */
async function accessLists(db: DatabaseFixture): Promise<unknown[]> {
  const { rows } = await db.owner.query(`
    select object, coalesce(nullif(grantee, 0)::regrole::text, 'public') as grantee, privilege_type
    from (
      select oid::regclass::text, relacl from pg_class where relnamespace::regnamespace::text in ('public', 'private')
      union all
      select format('%s.%s', attrelid::regclass, attname), attacl
      from pg_attribute join pg_class c on c.oid = attrelid
      where relnamespace::regnamespace::text in ('public', 'private')
      union all
      select oid::regprocedure::text, proacl from pg_proc where pronamespace::regnamespace::text in ('public', 'private')
      union all
      select nspname, nspacl from pg_namespace where nspname in ('public', 'private')
    ) as lists (object, acl)
    cross join aclexplode(acl)
    order by 1, 2, 3`)
  return rows
}

