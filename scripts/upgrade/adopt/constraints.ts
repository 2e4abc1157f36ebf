import { converted, foreignKeys, tables } from './baseline.ts'
import { accepted, type Check, type Details, type Difference, quoted, refused, reservedName } from './difference.ts'

export const examineConstraints: Check = async ({ query, names, oids }) => {
  const rows = await query<{
    table: string
    name: string
    type: 'p' | 'c' | 'x' | 'f'
    key: string | null
    references: string | null
    definition: string
    is_incoming: boolean
  }>(
    `select c.conrelid::regclass::text as "table", c.conname as name, c.contype as type, key.names as key,
       format('%s (%s) -> %s (%s)', c.conrelid::regclass, key.names, c.confrelid::regclass, (
         select string_agg(a.attname, ', ' order by k.at) from unnest(c.confkey) with ordinality as k (number, at)
         join pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.number
       )) as references,
       pg_get_constraintdef(c.oid) as definition, c.conrelid <> all ($1::oid[]) as is_incoming
     from pg_constraint as c
     cross join lateral (
       select string_agg(a.attname, ', ' order by k.at) as names from unnest(c.conkey) with ordinality as k (number, at)
       join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.number
     ) as key
     where c.contype in ('p', 'c', 'x', 'f') and (c.conrelid = any ($1::oid[]) or c.confrelid = any ($1::oid[]))
     order by 1, 2`,
    [oids],
  )
  const withoutPrimaryKey = Object.keys(tables)
    .filter((table) => rows.every((row) => row.table !== table || row.type !== 'p'))
    .map((table) => {
      const name = `${table.replace(/^public\./, '')}_pkey`
      const repair =
        `create unique index concurrently ${name} on ${table} (id); ` +
        `alter table ${table} add constraint ${name} primary key using index ${name};`
      return refused(repair, 'primary key', `${table} primary key`, 'PRIMARY KEY (id)', 'missing')
    })
  const found = rows.flatMap((row): Difference[] => {
    const { table, name, definition } = row
    const object = `${table} constraint ${name}`
    const drop = `alter table ${table} drop constraint ${quoted(name)};`
    if (!row.is_incoming && (names.constraints.has(name) || (row.type === 'p' && names.relations.has(name)))) {
      const rename = `alter table ${table} rename constraint ${quoted(name)} to …;`
      return [refused(rename, 'name', object, reservedName, definition)]
    }
    if (row.type === 'p') {
      const expected = `${table.replace(/^public\./, '')}_pkey PRIMARY KEY (id)`
      const details: Details = ['primary key', `${table} primary key`, expected, `${name} ${definition}`]
      if (row.key !== 'id') return [refused(`${drop} alter table ${table} add primary key (id);`, ...details)]
      return `${name} ${definition}` === expected ? [] : [accepted(...details)]
    }
    if (row.type !== 'f') return [refused(drop, row.type === 'c' ? 'check' : 'exclusion', object, 'none', definition)]
    const details: Details = ['foreign key', object, 'none', definition]
    if (!foreignKeys.includes(row.references ?? '')) return [refused(drop, ...details)]
    if (table !== 'public.iteration_snapshots') return [accepted(...details)]
    return [{ ...accepted(...details), advice: 'expand drops it, contract creates one that includes user_id' }]
  })
  return [...(oids.length === 0 ? [] : withoutPrimaryKey), ...found]
}

export const examineIndexes: Check = async ({ query, names, oids }) => {
  const rows = await query<{
    table: string
    name: string
    index: string
    is_valid: boolean
    is_unique_without_id: boolean
    constraint: string | null
    key: string[]
    expressions: string
    definition: string
  }>(
    `select i.indrelid::regclass::text as "table", x.relname as name, i.indexrelid::regclass::text as index, i.indisvalid as is_valid,
       i.indisunique and not exists (
         select from pg_attribute as a where a.attrelid = i.indrelid and a.attname = 'id'
           and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
       ) as is_unique_without_id,
       c.conname as constraint,
       array(
         select a.attname::text from pg_attribute as a where a.attrelid = i.indrelid and a.attnum = any (i.indkey)
           and a.attnum > 0
       ) as key,
       concat_ws(' ', pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)) as expressions,
       pg_get_indexdef(i.indexrelid) as definition
     from pg_index as i
     join pg_class as x on x.oid = i.indexrelid
     left join pg_constraint as c on c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u',
       'x')
     where i.indrelid = any ($1::oid[]) and not i.indisprimary and not i.indisexclusion
     order by 1, 2`,
    [oids],
  )
  return rows.map((row): Difference => {
    const drop =
      row.constraint === null
        ? `drop index concurrently ${row.index};`
        : `alter table ${row.table} drop constraint ${quoted(row.constraint)};`
    const details: Details = ['index', row.index, 'none', row.definition]
    if (names.relations.has(row.name)) {
      const rename = `alter index ${row.index} rename to …;`
      return refused(rename, 'name', row.index, reservedName, row.definition)
    }
    if (!row.is_valid) return refused(drop, 'index', row.index, 'valid', row.definition)
    if (row.is_unique_without_id) return refused(drop, 'index', row.index, 'not unique without id', row.definition)
    const changing = converted(row.table)
    // IS NULL is the only use of such a column that is immutable for both types.
    const expressions = row.expressions.replace(/\("?\w+"? IS (NOT )?NULL\)/g, '')
    if (changing.some((column) => new RegExp(`\\b${column}\\b`).test(expressions))) {
      return refused(drop, 'index', row.index, 'no expression on a column whose type changes', row.definition)
    }
    if (!row.key.some((column) => changing.includes(column))) return accepted(...details)
    const advice = `make migrate rebuilds it under an ACCESS EXCLUSIVE lock; on a large table run first: ${drop}`
    return { ...accepted(...details), advice }
  })
}

export const examineBehaviour: Check = async ({ query, oids }) => {
  const rows = await query<{ kind: 'policy' | 'trigger' | 'rule'; table: string; name: string; definition: string }>(
    `select 'policy' as kind, c.oid::regclass::text as "table", p.policyname as name,
       concat_ws(' ', lower(p.permissive), 'for', lower(p.cmd), 'to', array_to_string(p.roles, ', '),
         'using (' || p.qual || ')', 'with check (' || p.with_check || ')') as definition
     from pg_policies as p
     join pg_class as c on c.relname = p.tablename and c.relnamespace = p.schemaname::text::regnamespace
     where c.oid = any ($1::oid[])
     union all
     select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
     from pg_trigger where tgrelid = any ($1::oid[]) and not tgisinternal
     union all
     select 'rule', ev_class::regclass::text, rulename, pg_get_ruledef(oid)
     from pg_rewrite where ev_class = any ($1::oid[]) and rulename <> '_RETURN'
     order by 1, 2, 3`,
    [oids],
  )
  return rows.map(({ kind, table, name, definition }) =>
    refused(`drop ${kind} ${quoted(name)} on ${table};`, kind, `${table} ${kind} ${name}`, 'none', definition),
  )
}
