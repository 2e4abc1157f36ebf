import type pg from 'pg'
import { withClient } from '../../core/connect.ts'
import type { Target } from '../../core/target.ts'
import { seedRowsHeader } from './schema-text.ts'
import { dumpSchema } from './pg-dump.ts'

const preamble = `-- Generated from db/migrations by \`make schema\`. Do not edit.
--
-- The whole schema with its grants, for an empty database that has Supabase's roles and the schema \`auth\`
-- (db/supabase creates both in a plain PostgreSQL). pg_dump does not dump roles, so the roles of services are created
-- here:

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'leo_api') then
    create role leo_api nologin noinherit;
  end if;
  if not exists (select from pg_catalog.pg_roles where rolname = 'leo_worker') then
    create role leo_worker nologin inherit;
  end if;
end
$$;
grant authenticated to leo_api;
grant service_role to leo_worker;

`

/** The contents of db/schema.sql: the schema of a newly migrated database, and the rows that the migrations insert. */
export async function schemaFile(target: Target): Promise<string> {
  const schema = await dumpSchema(target)
  return withClient(target, async (client) => {
    const versions = (await appliedVersions(client)).map((version) => `('${version}')`)
    return `${preamble}${bookkeeping(versions)}${schema}${seedRowsHeader}${await seedRows(client)}`
  })
}

export async function appliedVersions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ version: string }>('select version from dbmate.schema_migrations order by version')
  return rows.map(({ version }) => version)
}

const bookkeeping = (versions: readonly string[]): string => `\
-- The applied migrations, as dbmate records them. public.schema_version() and later runs of dbmate read this table.

create schema dbmate;
create table dbmate.schema_migrations (version character varying not null primary key);
insert into dbmate.schema_migrations (version) values
  ${versions.join(',\n  ')};

`

/**
 * One insert statement per table. Every timestamp is written as now(), because its actual value would differ each time
 * the file is generated.
 */
async function seedRows(client: pg.Client): Promise<string> {
  const { rows: tables } = await client.query<{ name: string; columns: string; values: string; key: string }>(`
    select
      format('%I.%I', n.nspname, c.relname) as name,
      string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns,
      string_agg(
        case when a.atttypid = 'timestamptz'::regtype
          then format($$case when %I is null then 'null' else 'now()' end$$, a.attname)
          else format('quote_nullable(%I::text)', a.attname)
        end, ', ' order by a.attnum
      ) as values,
      string_agg(format('%I::text collate "C"', a.attname), ', ' order by a.attnum)
        filter (where a.attnum = any (i.indkey)) as key
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    join pg_index as i on i.indrelid = c.oid and i.indisprimary
    where n.nspname in ('public', 'private') and c.relkind = 'r'
    group by c.oid, n.oid
    order by n.nspname collate "C", c.relname collate "C"`)
  const inserts: string[] = []
  for (const { columns, key, name, values } of tables) {
    const { rows } = await client.query<{ tuple: string }>(
      `select format('(%s)', concat_ws(', ', ${values})) as tuple from ${name} order by ${key}`,
    )
    if (rows.length === 0) continue
    inserts.push(`insert into ${name} (${columns}) values\n  ${rows.map(({ tuple }) => tuple).join(',\n  ')};\n`)
  }
  return inserts.join('\n')
}
