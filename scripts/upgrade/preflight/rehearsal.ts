import pg from 'pg'
import { baselineVersion, tables } from '../adopt/baseline.ts'
import type { Target } from '../../core/target.ts'
import { fillLegacyDatabase } from '../legacy-database.ts'
import type { Migration } from '../../migrate/migrations.ts'
import { rehearse, type Rehearsal } from '../../schema/measure/rehearse.ts'
import { rowsOf } from './read-only.ts'

/** What of the live database decides what a migration does to it. */
export interface Likeness {
  /** SQL that makes the baseline's tables like the live ones: types, further columns, indexes, foreign keys. */
  readonly statements: readonly string[]
  /** Of the server, where the operator has answered for it. */
  readonly zone: { readonly server: string; readonly answer: string } | undefined
}

/** What the live tables have beyond the baseline, as SQL. */
export async function readLikeness(client: pg.Client, zone: Likeness['zone']): Promise<Likeness> {
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
     ) as likeness order by step, statement`,
    [Object.keys(tables), baselineColumns],
  )
  return { statements: rows.map(({ statement }) => statement), zone }
}

const baselineColumns = Object.entries(tables).flatMap(([table, columns]) =>
  Object.entries(columns).map(([name, { type }]) => `${table}.${name} ${type}`),
)

/** Enough that reading one of them cannot be taken for reading them all. */
const fewRows = { seed: 1, users: 4, requests: 40, snapshots: 80, dirt: {} }

/** As `rehearse`, on tables like the live ones, with a few rows of the previous schema. */
export async function rehearseUpgrade(
  admin: Target,
  migrations: readonly Migration[],
  pending: ReadonlySet<string>,
  likeness: Likeness | undefined,
): Promise<Rehearsal> {
  return rehearse(admin, migrations, pending, {
    // Where there are rows, the contract step waits for the confirmation of the operator.
    beforeEach: async (client) => {
      await client.query(`do $$
        begin
          if to_regclass('private.upgrade_progress') is not null then
            insert into private.upgrade_progress (phase, is_finished) values ('old_writers_gone', true) on conflict do nothing;
          end if;
        end
        $$`)
    },
    // Before there is anything that a writer of the previous schema could break.
    afterApplied: async (client, { version }) => {
      if (version === baselineVersion) await fillLegacyDatabase(client, fewRows)
    },
    beforePending: (client) => (likeness ? makeAlike(client, likeness) : Promise.resolve([])),
  })
}

async function makeAlike(client: pg.Client, { statements, zone }: Likeness): Promise<string[]> {
  const missing: string[] = []
  await client.query(`begin; set local search_path = ''`)
  const known = new Set((await readLikeness(client, undefined)).statements)
  await client.query('commit')
  for (const statement of statements) {
    if (known.has(statement)) continue
    try {
      await client.query(statement)
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
      missing.push(`${statement} (${error.code})`)
    }
  }
  if (zone) {
    await client.query(`
      create schema if not exists dbmate;
      create table dbmate.upgrade_answers (question text primary key, answer text);
      set timezone = ${client.escapeLiteral(zone.server)}`)
    await client.query(`insert into dbmate.upgrade_answers values ('time_zone', $1)`, [zone.answer])
  }
  return missing
}
