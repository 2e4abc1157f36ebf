import t from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { migrate } from '../../scripts/migrate/migrator.ts'
import { type Migration, readMigrations } from '../../scripts/migrate/migrations.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'
import type { DatabaseFixture } from '../fixtures/database.ts'
import { findRepetitions } from './fixtures/definitions.ts'
import { insertTenant } from '../fixtures/rows.ts'

const migrations = await readMigrations()
const template = await createMigratedDatabase(t)
const whole = await dumpSchema(template.target)

/** For each migration whose down section refuses: the statement that removes the reason. */
const obstacles: Readonly<Record<string, string>> = {
  create_cleanup_outbox: 'delete from cleanup_outbox',
  create_generation_costs: 'delete from generation_costs',
  create_schema_snapshots: 'delete from schema_snapshots',
  create_user_activity_log: 'delete from user_activity_log',
  create_user_profiles: 'delete from user_profiles',
  create_deployment_config_history: 'delete from deployment_config_history',
  create_generation_events: 'delete from generation_events',
  create_generation_leases: 'delete from private.generation_leases',
  create_upgrade_tables: 'delete from private.migration_log; delete from private.quarantine',
  add_generation_requests_columns: 'update generation_requests set idempotency_key = null, github_commit = null',
  create_user_secrets: 'delete from user_secrets',
  create_deployment_config: 'delete from deployment_config',
  create_apps: 'delete from apps',
  create_supabase_projects: 'delete from supabase_project_places; delete from supabase_projects',
  create_current_tables: 'truncate iteration_snapshots, generation_requests',
}

t.test('down refuses while rows would be lost; without rows all are undone, and up restores the same schema', async (t) => {
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
  t.strictSame(await ourObjects(db), [], 'no object is left')

  for (const migration of migrations) await run(db, migration, 'up')
  t.equal(await dumpSchema(db.target), whole)
})

/** Applies a section as dbmate does, but without starting a process each time; test/full uses dbmate. */
async function run(db: DatabaseFixture, { transaction, source, up, down }: Migration, direction: 'up' | 'down'): Promise<void> {
  const isAlone = direction === 'up' ? !transaction : source.includes('-- migrate:down transaction:false')
  const sql = direction === 'up' ? up : down
  await withClient(db.target, (client) => client.query(isAlone ? sql : `begin; ${sql}; commit`))
}

t.test('everything is defined by one migration, all error codes are inserted by one', async (t) => {
  t.strictSame(await findRepetitions(migrations), { definitions: [], errorCodes: [] })

  const create = `
    create function private.shade(p_id bigint, p_words text[] default null, out shade text) language sql as 'select null';
    create table public.hats (id bigint, colour text constraint hats_colour_check check (colour <> ''));
    create index hats_colour_idx on public.hats (colour);
    create trigger _100_shade before insert on public.hats for each row execute function private.tg__shade();
    create policy select_own on public.hats for select using (true);
    create view public.tall_hats as select id from public.hats;
    create domain public.colour as text constraint colour_check check (value <> '');
    create type public.size as enum ('small');
    comment on column public.hats.colour is 'Its colour.';
    comment on function private.shade(bigint, text[]) is 'Its shade.';
    insert into private.error_codes values ('LEO99', 'bad_hat', 'it is bad');
  `
  const change = `
    create or replace function private.shade(p_id bigint, p_words text[] default null, out shade text) language sql as 'select 1';
    create function private.shade(p_id integer) returns text language sql as 'select 2';
    alter table public.hats add constraint hats_colour_check check (colour is not null) not valid;
    alter table public.hats validate constraint hats_colour_check;
    create table public.hats (id bigint);
    create unique index hats_colour_idx on public.hats (colour);
    create trigger _100_shade before update on public.hats for each row execute function private.tg__shade();
    create trigger _100_shade before update on public.coats for each row execute function private.tg__shade();
    create policy select_own on public.hats for select using (false);
    create or replace view public.tall_hats as select 1;
    create domain public.colour as text;
    alter domain public.colour add constraint colour_check check (value is not null);
    create type public.size as (width integer);
    comment on column public.hats.colour is 'Its hue.';
    comment on function private.shade(bigint, text[]) is 'Its hue.';
    insert into private.error_codes values ('LEO98', 'worse_hat', 'it is worse');
  `
  t.strictSame(await findRepetitions([{ name: 'create', up: create }, { name: 'change', up: change }]), {
    definitions: [
      'function private.shade(bigint, text[])',
      'table public.hats',
      'constraint hats_colour_check',
      'index hats_colour_idx',
      'trigger _100_shade on public.hats',
      'policy select_own on public.hats',
      'view public.tall_hats',
      'type public.colour',
      'constraint colour_check',
      'type public.size',
      'comment on column public.hats.colour',
      'comment on function private.shade.pg_catalog.int8.text.[]',
    ].map((definition) => `${definition}: create, change`),
    errorCodes: ['create', 'change'],
  })
})

t.test('every section that takes locks starts with a lock timeout', async (t) => {
  const isBounded = (sql: string) => /^\s*(--.*\n\s*)*(set local lock_timeout|select '[^']*';\s*$)/.test(sql)
  const remedy = "begins with set local lock_timeout = '3s';"
  for (const { name, transaction, up, down, source } of migrations) {
    if (transaction) t.ok(isBounded(up), `the up section of ${name} ${remedy}`)
    if (!source.includes('-- migrate:down transaction:false')) t.ok(isBounded(down), `the down section of ${name} ${remedy}`)
  }
  t.notOk(isBounded('\n-- a comment\ndrop table apps;'))
})

t.test('in a project whose default privileges grant everything, schema and access are the same', async (t) => {
  const old = await createEmptyDatabase(t, 'until_2026')
  await old.owner.query('create table canary (id int)')
  const granted = await old.owner.query(`select has_table_privilege('anon', 'canary', 'insert') as by_default`)
  t.strictSame(granted.rows, [{ by_default: true }], 'the defaults are the old ones')
  await old.owner.query('drop table canary')

  await migrate(old.target)
  t.equal(await dumpSchema(old.target), whole)
  t.strictSame(await accessLists(old), await accessLists(template))
})

t.test('the migrating role is not a superuser and cannot create objects in auth', async (t) => {
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

/** All ACL entries of the schema, read from the catalog, independently of the dump. */
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

