import { converted, enums, isCompatibleType, tables } from './baseline.ts'
import { accepted, type Check, type Details, type Difference, refused } from './difference.ts'
import type { Names } from './names.ts'

export const examineEnums: Check = async ({ query }) => {
  const rows = await query<{
    name: string
    is_enum: boolean
    owner: string
    is_owner: boolean
    role: string
    labels: string[]
  }>(
    `select name, t.typtype = 'e' as is_enum, quote_ident(r.rolname) as owner, r.rolname = current_user as is_owner,
            quote_ident(current_user) as role,
            array(select e.enumlabel::text from pg_enum as e
              where e.enumtypid = t.oid order by e.enumsortorder) as labels
     from unnest($1::text[]) as name
     join pg_type as t on t.oid = to_regtype(name)
     join pg_roles as r on r.oid = t.typowner`,
    [Object.keys(enums)],
  )
  return Object.entries(enums).flatMap(([name, values]): Difference[] => {
    const row = rows.find((one) => one.name === name)
    const list = values.map((value) => `'${value}'`).join(', ')
    if (!row) return [refused(`create type ${name} as enum (${list});`, 'enum', name, list, 'missing')]
    if (!row.is_enum) return [refused(`alter type ${name} rename to …;`, 'enum', name, list, 'not an enum')]
    const labels = row.labels.map((value) => `'${value}'`).join(', ')
    const owner = row.is_owner
      ? []
      : [refused(`alter type ${name} owner to ${row.role};`, 'owner', `${name} owner`, row.role, row.owner)]
    return labels === list ? owner : [...owner, refused(repairEnum(name, values, row.labels), 'enum', name, list, labels)]
  })
}

/** Missing values can be added at their position; extra values or another order require a new type. */
function repairEnum(name: string, values: readonly string[], labels: readonly string[]): string {
  const isInOrder = labels.join() === values.filter((value) => labels.includes(value)).join()
  if (!isInOrder) {
    return (
      `update the rows with other values, then replace the type, which rewrites the tables: alter type ${name} rename to …; ` +
      `create type ${name} as enum (${values.map((value) => `'${value}'`).join(', ')}); ` +
      `alter table … alter column … type ${name} using …::text::${name};`
    )
  }
  const adds = values.flatMap((value, at) => {
    if (labels.includes(value)) return []
    const place = at === 0 ? `before '${labels[0]}'` : `after '${values[at - 1]}'`
    return [`alter type ${name} add value '${value}' ${place};`]
  })
  return adds.join(' ')
}

export const examineTables: Check = async ({ query }) => {
  const rows = await query<{
    name: string
    kind: string
    owner: string
    role: string
    is_owner: boolean
    is_logged: boolean
    is_typed: boolean
    parents: string[]
    children: string[]
    method: string | null
    options: string | null
    security: string
    bypasses_row_security: boolean
    identity: string
  }>(
    `select name, c.relkind as kind, quote_ident(r.rolname) as owner, quote_ident(current_user) as role,
       r.rolname = current_user as is_owner, c.relpersistence = 'p' as is_logged, c.reloftype <> 0 as is_typed,
       array(select inhparent::regclass::text from pg_inherits where inhrelid = c.oid) as parents,
       array(select inhrelid::regclass::text from pg_inherits where inhparent = c.oid) as children,
       (select amname from pg_am where oid = c.relam) as method, array_to_string(c.reloptions, ', ') as options,
       concat_ws(' and ', case when c.relrowsecurity then 'enabled' end, case
         when c.relforcerowsecurity then 'forced' end) as security,
       (select rolbypassrls or rolsuper from pg_roles where rolname = current_user) as bypasses_row_security,
       case c.relreplident
         when 'd' then 'default' when 'f' then 'full' when 'n' then 'nothing'
         else 'index ' || (select indexrelid::regclass::text from pg_index where indrelid = c.oid and indisreplident)
       end as identity
     from unnest($1::text[]) as name
     join pg_class as c on c.oid = to_regclass(name)
     join pg_roles as r on r.oid = c.relowner`,
    [Object.keys(tables)],
  )
  return Object.keys(tables).flatMap((name): Difference[] => {
    const row = rows.find((one) => one.name === name)
    if (!row) {
      const advice = 'check that this is the right database; if the table never existed, create it as in the baseline'
      return [refused(advice, 'table', name, 'a table', 'missing')]
    }
    const copyRows = 'copy the rows into an ordinary table with this name'
    return [
      row.kind !== 'r' && refused(copyRows, 'table', name, 'a table', relationKinds[row.kind] ?? row.kind),
      !row.is_owner && refused(`alter table ${name} owner to ${row.role};`, 'owner', `${name} owner`, row.role, row.owner),
      row.is_typed && refused(`alter table ${name} not of;`, 'table', `${name} type`, 'none', 'a typed table'),
      ...row.parents.map((parent) =>
        refused(`alter table ${name} no inherit ${parent};`, 'inheritance', `${name} child of ${parent}`, 'no', 'yes'),
      ),
      ...row.children.map((child) =>
        refused(`alter table ${child} no inherit ${name};`, 'inheritance', `${name} parent of ${child}`, 'no', 'yes'),
      ),
      !row.is_logged &&
        refused(`alter table ${name} set logged; -- rewrites the table`, 'table', `${name} persistence`, 'logged', 'unlogged'),
      row.method !== null && row.method !== 'heap' && refused(copyRows, 'table', `${name} method`, 'heap', row.method),
      row.options !== null && accepted('storage', `${name} options`, 'none', row.options),
      row.security !== '' &&
        (row.bypasses_row_security || !row.security.includes('forced')
          ? accepted('row security', `${name} row security`, 'off', row.security)
          : // The backfill would see no rows.
            refused(`alter table ${name} no force row level security;`, 'row security', `${name} row security`, 'off', row.security)),
      row.identity !== 'default' && accepted('replica identity', `${name} replica identity`, 'default', row.identity),
    ].filter((one) => one !== false)
  })
}

const relationKinds: Readonly<Record<string, string>> = {
  p: 'a partitioned table',
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
}

interface FoundColumn {
  readonly table: string
  readonly name: string
  readonly column: string
  readonly type: string
  readonly is_required: boolean
  readonly default: string | null
  readonly identity: '' | 'a' | 'd'
  readonly generated: string
  /** Columns that a generated column uses. */
  readonly sources: string[]
  readonly collation: string | null
  readonly is_deterministic: boolean
  readonly storage: string
}

export const examineColumns: Check = async ({ query, names, oids }) => {
  const rows = await query<FoundColumn>(
    `select c.oid::regclass::text as "table", a.attname as name, quote_ident(a.attname) as column,
       format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as is_required,
       pg_get_expr(d.adbin, d.adrelid) as "default", a.attidentity as identity, a.attgenerated as generated,
       array(
         select source.attname::text from pg_depend as p
         join pg_attribute as source on source.attrelid = p.refobjid and source.attnum = p.refobjsubid
         where p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refobjid = c.oid and a.attgenerated <> ''
       ) as sources,
       case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end as collation,
       coalesce(l.collisdeterministic, true) as is_deterministic,
       concat_ws(', ',
         case when a.attstorage <> t.typstorage then format('storage %s', a.attstorage) end,
         case when a.attcompression <> '' then format('compression %s', a.attcompression) end,
         case when a.attstattarget >= 0 then format('statistics %s', a.attstattarget) end,
         array_to_string(a.attoptions, ', ')
       ) as storage
     from pg_class as c
     join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     join pg_type as t on t.oid = a.atttypid
     left join pg_collation as l on l.oid = a.attcollation
     left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.oid = any ($1::oid[])
     order by c.oid, a.attnum`,
    [oids],
  )
  const missing = Object.entries(tables).flatMap(([table, columns]) =>
    Object.entries(columns)
      .filter(([name]) => {
        const found = rows.filter((row) => row.table === table)
        return found.length > 0 && !found.some((row) => row.name === name)
      })
      .map(([name, { type }]) =>
        refused(`alter table ${table} add column "${name}" ${type};`, 'column', `${table}.${name}`, type, 'missing'),
      ),
  )
  const found = rows.flatMap((row) => (tables[row.table]?.[row.name] ? examineColumn(row) : examineFurtherColumn(row, names)))
  return [...missing, ...found]
}

function examineColumn(row: FoundColumn): Difference[] {
  const { table, name, type } = row
  const object = `${table}.${name}`
  const expected = tables[table]![name]!
  const alter = `alter table ${table} alter column ${row.column}`
  const differences: Difference[] = []
  if (type !== expected.type) {
    const details: Details = ['type', `${object} type`, expected.type, type]
    const repair = type.startsWith('character varying')
      ? `${alter} type ${expected.type};`
      : `${alter} type ${expected.type} using ${row.column}::${expected.type}; -- rewrites the table under ACCESS EXCLUSIVE`
    differences.push(isCompatibleType(expected.type, type) ? accepted(...details) : refused(repair, ...details))
  }
  if (row.collation !== null) {
    const details: Details = ['collation', `${object} collation`, 'default', row.collation]
    const repair = `${alter} type ${type} collate "default";`
    differences.push(row.is_deterministic ? accepted(...details) : refused(repair, ...details))
  }
  if (row.storage !== '') differences.push(accepted('storage', `${object} storage`, 'default', row.storage))
  if (row.generated !== '') {
    differences.push(refused(`${alter} drop expression;`, 'generated', `${object} generated`, 'no', row.default ?? 'yes'))
  }
  if (name === 'id') return differences
  if (row.identity !== '') differences.push(refused(`${alter} drop identity;`, 'identity', `${object} identity`, 'no', 'yes'))
  if (row.is_required) {
    const details: Details = ['not null', `${object} not null`, 'nullable', 'not null']
    differences.push(expected.isRequired ? accepted(...details) : refused(`${alter} drop not null;`, ...details))
  }
  // Some tools write `NULL::character varying` for no default.
  if (row.default !== null && row.generated === '' && !/^NULL(::[^()]+(\(\d+\))?)?$/.test(row.default)) {
    const details: Details = ['default', `${object} default`, expected.noDefault ?? 'none', row.default]
    differences.push(expected.noDefault ? refused(`${alter} drop default;`, ...details) : accepted(...details))
  }
  return differences
}

function examineFurtherColumn(row: FoundColumn, names: Names): Difference[] {
  const { table, name } = row
  const object = `${table}.${name}`
  const alter = `alter table ${table} alter column ${row.column}`
  const details: Details = ['column', object, 'no such column', row.type]
  if (names.columns.has(`${table.replace(/^public\./, '')}.${name}`)) {
    return [refused(`alter table ${table} rename column ${row.column} to …;`, ...details)]
  }
  if (row.sources.some((source) => converted(table).includes(source))) {
    const repair = row.generated === 's' ? `${alter} drop expression;` : `alter table ${table} drop column ${row.column};`
    return [refused(repair, 'generated', object, 'not computed from a column whose type changes', row.default ?? 'generated')]
  }
  if (row.is_required && row.default === null && row.identity === '') {
    return [refused(`${alter} drop not null;`, 'column', object, 'nullable or with a default', `${row.type} not null`)]
  }
  return [{ ...accepted(...details), advice: 'every role that may read a row can read this column' }]
}

/** Checks the sequence of `id`: later migrations grant privileges on it by name. */
export const examineSequences: Check = async ({ query, oids }) => {
  const rows = await query<{
    table: string
    identity: string
    default: string | null
    sequence: string | null
    owned: string | null
    wanted: string
    details: string | null
  }>(
    `select c.oid::regclass::text as "table", a.attidentity as identity, pg_get_expr(d.adbin, d.adrelid) as "default",
       s.oid::regclass::text as sequence, pg_get_serial_sequence(c.oid::regclass::text, 'id') as owned, wanted,
       format('%s from %s by %s%s', q.seqtypid::regtype, q.seqstart, q.seqincrement, case
         when q.seqcycle then ', cycles' end) as details
     from pg_class as c
     cross join lateral (select c.oid::regclass || '_id_seq' as wanted) as w
     join pg_attribute as a on a.attrelid = c.oid and a.attname = 'id'
     left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
     left join pg_class as s on s.relkind = 'S' and s.oid = coalesce(
       to_regclass(pg_get_serial_sequence(c.oid::regclass::text, 'id')),
       (select refobjid from pg_depend where classid = 'pg_attrdef'::regclass and objid = d.oid
         and refclassid = 'pg_class'::regclass
          and refobjid <> c.oid limit 1)
     )
     left join pg_sequence as q on q.seqrelid = s.oid
     where c.oid = any ($1::oid[]) and c.relkind in ('r', 'p')`,
    [oids],
  )
  return rows.flatMap((row): Difference[] => {
    const { table, wanted } = row
    const object = `${table}.id`
    const alter = `alter table ${table} alter column id`
    const named = wanted.replace(/^public\./, '')
    const setDefault = `${alter} set default nextval('${wanted}');`
    if (row.sequence === null || (row.identity === '' && row.default === null)) {
      const create =
        row.sequence === null
          ? `create sequence ${wanted} as integer owned by ${object}; ` +
            `select setval('${wanted}', coalesce(max(id), 0) + 1, false) from ${table}; `
          : ''
      return [refused(create + setDefault, 'sequence', `${object} sequence`, wanted, row.sequence ?? 'none')]
    }
    const plain = `nextval('${row.sequence}'::regclass)`
    return [
      row.sequence !== wanted &&
        refused(`alter sequence ${row.sequence} rename to ${named};`, 'sequence', `${object} sequence`, wanted, row.sequence),
      row.owned === null &&
        refused(`alter sequence ${row.sequence} owned by ${object};`, 'sequence', `${object} sequence owner`, object, 'none'),
      row.identity === 'a' &&
        refused(`${alter} set generated by default;`, 'identity', `${object} identity`, 'serial', 'generated always'),
      row.identity === 'd' && accepted('identity', `${object} identity`, 'serial', 'generated by default'),
      row.identity === '' &&
        row.default !== plain &&
        refused(setDefault, 'default', `${object} default`, `nextval('${wanted}'::regclass)`, row.default ?? 'none'),
      row.details !== null &&
        row.details !== 'integer from 1 by 1' &&
        accepted('sequence', `${object} sequence details`, 'integer from 1 by 1', row.details),
    ].filter((one) => one !== false)
  })
}
