import type pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { ownerless as rules } from './rules.ts'

/** A table of the schema as far as it matters whose rows it has; from the catalog, so a new one is not forgotten. */
export interface UserTable {
  /** Schema and name, quoted where they have to be. */
  readonly name: string
  readonly columns: readonly UserColumn[]
}

export interface UserColumn {
  /** Quoted where it has to be. */
  readonly name: string
  readonly kind: 'uuid' | 'uuids' | 'secret' | 'time' | 'enum' | 'other'
  readonly isNullable: boolean
}

export async function readTables(client: pg.Client): Promise<UserTable[]> {
  const { rows } = await client.query<UserTable>(`
    select
      format('%I.%I', c.relnamespace::regnamespace, c.relname) as name,
      json_agg(
        json_build_object(
          'name', quote_ident(a.attname),
          'kind', case
            when t.oid = to_regtype('public.sealed_secret') then 'secret'
            when 'uuid'::regtype in (t.oid, t.typbasetype) then 'uuid'
            when t.oid = 'uuid[]'::regtype then 'uuids'
            when t.oid = 'timestamptz'::regtype then 'time'
            when t.typtype = 'e' then 'enum'
            else 'other'
          end,
          'isNullable', not a.attnotnull
        )
        order by a.attnum
      ) as columns
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as t on t.oid = a.atttypid
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
      and c.relkind in ('r', 'p', 'm') and not c.relispartition
    group by c.oid
    order by 1`)
  return rows
}

export const ownerOf = ({ columns }: UserTable): UserColumn | undefined =>
  columns.find(({ name }) => name === 'user_id')

/** SQL that holds for a row `t` of the user `$1`; undefined where no rule says whose rows they are. */
export function isTheirs(table: UserTable): string | undefined {
  const owner = ownerOf(table)
  if (!owner) return rules[table.name]?.rows
  return owner.kind === 'uuid' ? 't.user_id = $1::uuid' : 'lower(t.user_id::text) = $1::text'
}

/**
 * SQL that holds for a row `t` that names the user `$1`. Rows that have an owner do so in any column of type uuid: they
 * are many, and what the owner writes in them is the owner's. Rows without one do so in any column whatever.
 */
export function namesThem(table: UserTable): string {
  // t.* and not t, which would be a column of that name.
  const anywhere = 'strpos(lower((t.*)::text), $1::text) > 0'
  const owner = ownerOf(table)
  if (!owner) return anywhere
  const ownerless = owner.isNullable ? [`t.user_id is null and ${anywhere}`] : []
  return [isTheirs(table), ...otherMentions(table), ...ownerless].join(' or ')
}

/** In which columns, besides user_id, a row may name the user `$1`. */
export const otherMentions = ({ columns }: UserTable): string[] =>
  columns.flatMap(({ name, kind }) => {
    if (name === 'user_id') return []
    return kind === 'uuid' ? [`t.${name} = $1::uuid`] : kind === 'uuids' ? [`$1::uuid = any (t.${name})`] : []
  })

/** Tables of which neither the catalog nor a rule says whose rows they have; rules for tables that are not there. */
export function compareWithRules(tables: readonly UserTable[]): { unjudged: string[]; missing: string[] } {
  return {
    unjudged: tables.filter((table) => !ownerOf(table) && !(table.name in rules)).map(({ name }) => name),
    missing: Object.keys(rules).filter((name) => !tables.some((table) => table.name === name)),
  }
}

/** @throws Failure when it is no id, or the one of nobody. */
export function readUserId(text: string | undefined, command: string): string {
  const id = text?.trim().toLowerCase() ?? ''
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id
  throw new Failure(id === '' ? 'no user is named' : `"${id}" is no user's id`, `make ${command} user=<uuid>`)
}

/** In this transaction a role that sees only some of the rows fails, instead of missing the others. */
export const allRows = 'set local row_security = off'
