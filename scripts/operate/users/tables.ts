import type pg from 'pg'
import { Failure } from '../../core/failure.ts'
import { tablesWithoutOwner as rules } from './rules.ts'

/** A table of the schema, read from the catalog, so that new tables are included. */
export interface UserTable {
  /** Schema and name, quoted where necessary. */
  readonly name: string
  readonly columns: readonly UserColumn[]
}

export interface UserColumn {
  /** Quoted where necessary. */
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

/** SQL condition: the row `t` belongs to the user `$1`. Undefined when no rule defines this. */
export function belongsToUser(table: UserTable): string | undefined {
  const owner = ownerOf(table)
  if (!owner) return rules[table.name]?.rows
  return owner.kind === 'uuid' ? 't.user_id = $1::uuid' : 'lower(t.user_id::text) = $1::text'
}

/**
 * SQL condition: the row `t` mentions the user `$1`. In rows with an owner only columns of type uuid are searched: these
 * tables are large, and their texts belong to the owner. In rows without an owner all columns are searched.
 */
export function mentionsUser(table: UserTable): string {
  // `t.*`, because `t` would refer to a column of that name.
  const anywhere = 'strpos(lower((t.*)::text), $1::text) > 0'
  const owner = ownerOf(table)
  if (!owner) return anywhere
  const ownerless = owner.isNullable ? [`t.user_id is null and ${anywhere}`] : []
  return [belongsToUser(table), ...otherMentions(table), ...ownerless].join(' or ')
}

/** SQL conditions: a column other than user_id contains the id of the user `$1`. */
export const otherMentions = ({ columns }: UserTable): string[] =>
  columns.flatMap(({ name, kind }) => {
    if (name === 'user_id') return []
    return kind === 'uuid' ? [`t.${name} = $1::uuid`] : kind === 'uuids' ? [`$1::uuid = any (t.${name})`] : []
  })

/** Finds tables that have neither a column user_id nor a rule, and rules for tables that do not exist. */
export function compareWithRules(tables: readonly UserTable[]): { withoutRule: string[]; missing: string[] } {
  return {
    withoutRule: tables.filter((table) => !ownerOf(table) && !(table.name in rules)).map(({ name }) => name),
    missing: Object.keys(rules).filter((name) => !tables.some((table) => table.name === name)),
  }
}

/** @throws Failure when the text is missing or not a UUID. */
export function readUserId(text: string | undefined, command: string): string {
  const id = text?.trim().toLowerCase() ?? ''
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id
  throw new Failure(id === '' ? 'the user is missing' : `"${id}" is not a user id`, `make ${command} user=<uuid>`)
}
