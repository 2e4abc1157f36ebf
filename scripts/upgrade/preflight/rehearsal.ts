import pg from 'pg'
import { baselineVersion, tables } from '../adopt/baseline.ts'
import type { Target } from '../../core/target.ts'
import { fillLegacyDatabase } from '../legacy-database.ts'
import type { Migration } from '../../migrate/migrations.ts'
import { rehearse, type Rehearsal } from '../../schema/measure/rehearse.ts'
import { rowsOf } from './read-only.ts'

/** The properties of the live database on which the effects of a migration depend. */
export interface LiveSchema {
  /** SQL that changes the baseline's tables to match the live ones: columns, types, indexes and constraints. */
  readonly statements: readonly string[]
  /** The server's time zone and the operator's answer; undefined while there is no answer. */
  readonly zone: { readonly server: string; readonly answer: string } | undefined
}

/** Reads the columns, types, indexes and constraints of the live tables as SQL statements. */
export async function readLiveSchema(client: pg.Client, zone: LiveSchema['zone']): Promise<LiveSchema> {
  const rows = await rowsOf<{ statement: string }>(
    client,
    `with live as (select to_regclass(name)::oid as oid from unnest($1::text[]) as name)
     select statement from (
       select 1 as step, format('alter table %s add column if not exists %I %s', a.attrelid::regclass, a.attname, type) as statement
       from pg_attribute as a join live on live.oid = a.attrelid
       cross join lateral (select format_type(a.atttypid, a.atttypmod) as type) as t
       where a.attnum > 0 and not a.attisdropped
       union all
       select 2, format('alter table %s alter column %I type %s', a.attrelid::regclass, a.attname, type)
       from pg_attribute as a join live on live.oid = a.attrelid
       cross join lateral (select format_type(a.atttypid, a.atttypmod) as type) as t
       where a.attnum > 0 and not a.attisdropped and (a.attrelid::regclass || '.' || a.attname || ' ' || type) <> all ($2::text[])
       union all
       select 3, pg_get_indexdef(i.indexrelid)
       from pg_index as i join live on live.oid = i.indrelid
       where not exists (select from pg_constraint as c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
       union all
       select 4, format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
       from pg_constraint as c join live on live.oid = c.conrelid
       where c.contype in ('f', 'c', 'u')
     ) as live_schema order by step, statement`,
    [Object.keys(tables), baselineColumns],
  )
  return { statements: rows.map(({ statement }) => statement), zone }
}

const baselineColumns = Object.entries(tables).flatMap(([table, columns]) =>
  Object.entries(columns).map(([name, { type }]) => `${table}.${name} ${type}`),
)

/** Enough rows that a read of the first row differs from a sequential scan in the statistics. */
const fewRows = { seed: 1, users: 4, requests: 40, snapshots: 80, dirt: {} }

/** Rehearses on tables that match the live schema, with a few rows of the previous schema. */
export async function rehearseUpgrade(
  admin: Target,
  migrations: readonly Migration[],
  pending: ReadonlySet<string>,
  liveSchema: LiveSchema | undefined,
): Promise<Rehearsal> {
  return rehearse(admin, migrations, pending, {
    // In a database with rows the contract step refuses to run without the operator's confirmation.
    beforeEach: async (client) => {
      await client.query(`do $$
        begin
          if to_regclass('private.upgrade_progress') is not null then
            insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true) on conflict do nothing;
          end if;
        end
        $$`)
    },
    // The rows satisfy the baseline only: later migrations add constraints and triggers.
    afterApplied: async (client, { version }) => {
      if (version === baselineVersion) await fillLegacyDatabase(client, fewRows)
    },
    beforePending: (client) => (liveSchema ? applyLiveSchema(client, liveSchema) : Promise.resolve([])),
  })
}

/** Returns the statements that failed, each with its error code. */
async function applyLiveSchema(client: pg.Client, { statements, zone }: LiveSchema): Promise<string[]> {
  const skipped: string[] = []
  await client.query(`begin; set local search_path = ''`)
  const present = new Set((await readLiveSchema(client, undefined)).statements)
  await client.query('commit')
  for (const statement of statements) {
    if (present.has(statement)) continue
    try {
      await client.query(statement)
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
      skipped.push(`${statement} (${error.code})`)
    }
  }
  if (zone) {
    await client.query(`
      create schema if not exists dbmate;
      create table dbmate.upgrade_answers (question text primary key, answer text);
      set timezone = ${client.escapeLiteral(zone.server)}`)
    await client.query(`insert into dbmate.upgrade_answers values ('time_zone', $1)`, [zone.answer])
  }
  return skipped
}
