import type pg from 'pg'
import { converted, enums, foreignKeys, mayStandFor, tables } from './baseline.ts'
import type { Names } from './names.ts'

export interface Difference {
  /** Unique: the kinds of one object's differences are told apart by what follows its name. */
  readonly object: string
  readonly kind: string
  readonly expected: string
  readonly found: string
  readonly isRefused: boolean
  /** What to do about one that is refused, exact SQL where there is one; what to know about one that is not. */
  readonly advice?: string
}

type Details = [kind: string, object: string, expected: string, found: string]

const accepted = (...[kind, object, expected, found]: Details): Difference => ({
  ...{ object, kind, expected, found },
  isRefused: false,
})

const refused = (advice: string, ...[kind, object, expected, found]: Details): Difference => ({
  ...{ object, kind, expected, found, advice },
  isRefused: true,
})

/** Roles that later migrations take every grant from, before they give what is meant. */
const apiRoles = ['public', 'anon', 'authenticated', 'service_role']

interface Patient {
  readonly query: <T extends object>(sql: string, values?: readonly unknown[]) => Promise<T[]>
  readonly names: Names
  /** Object ids of the live tables. */
  readonly oids: readonly number[]
}

/**
 * All that is different from the baseline, in the session's transaction. It reads the catalog only, and sets the
 * transaction's `search_path` to nothing, so that the catalog's functions qualify every name.
 */
export async function compare(client: pg.Client, names: Names): Promise<Difference[]> {
  const query: Patient['query'] = async (sql, values = []) => (await client.query(sql, [...values])).rows
  await query(`set local search_path = ''`)
  const found = await query<{ oid: number }>(
    `select to_regclass(name)::oid as oid from unnest($1::text[]) as name where to_regclass(name) is not null`,
    [Object.keys(tables)],
  )
  const patient: Patient = { query, names, oids: found.map(({ oid }) => oid) }
  const differences: Difference[] = []
  for (const aspect of aspects) differences.push(...(await aspect(patient)))
  return differences
}

type Aspect = (patient: Patient) => Promise<Difference[]>

const examineEnums: Aspect = async ({ query }) => {
  const rows = await query<{
    name: string
    is_enum: boolean
    owner: string
    is_ours: boolean
    me: string
    labels: string[]
  }>(
    `select name, t.typtype = 'e' as is_enum, quote_ident(r.rolname) as owner, r.rolname = current_user as is_ours,
            quote_ident(current_user) as me,
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
    if (!row.is_enum) return [refused(`alter type ${name} rename to …;`, 'enum', name, list, 'no enum')]
    const labels = row.labels.map((value) => `'${value}'`).join(', ')
    const owner = row.is_ours
      ? []
      : [refused(`alter type ${name} owner to ${row.me};`, 'owner', `${name} owner`, row.me, row.owner)]
    return labels === list ? owner : [...owner, refused(mendEnum(name, values, row.labels), 'enum', name, list, labels)]
  })
}

/** Missing values can be put where they belong; others, or another order, need a new type. */
function mendEnum(name: string, values: readonly string[], labels: readonly string[]): string {
  const isInOrder = labels.join() === values.filter((value) => labels.includes(value)).join()
  if (!isInOrder) {
    return (
      `move the rows off other values, then, which rewrites: alter type ${name} rename to …; ` +
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

const examineTables: Aspect = async ({ query }) => {
  const rows = await query<{
    name: string
    kind: string
    owner: string
    me: string
    is_ours: boolean
    is_logged: boolean
    is_typed: boolean
    parents: string[]
    children: string[]
    method: string | null
    options: string | null
    security: string
    sees_all: boolean
    identity: string
  }>(
    `select name, c.relkind as kind, quote_ident(r.rolname) as owner, quote_ident(current_user) as me,
       r.rolname = current_user as is_ours, c.relpersistence = 'p' as is_logged, c.reloftype <> 0 as is_typed,
       array(select inhparent::regclass::text from pg_inherits where inhrelid = c.oid) as parents,
       array(select inhrelid::regclass::text from pg_inherits where inhparent = c.oid) as children,
       (select amname from pg_am where oid = c.relam) as method, array_to_string(c.reloptions, ', ') as options,
       concat_ws(' and ', case when c.relrowsecurity then 'enabled' end, case
         when c.relforcerowsecurity then 'forced' end) as security,
       (select rolbypassrls or rolsuper from pg_roles where rolname = current_user) as sees_all,
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
      const advice = 'see whether this is the right database; if the table never was, create it as the baseline does'
      return [refused(advice, 'table', name, 'a table', 'missing')]
    }
    const whole = 'copy its rows into a plain table of that name'
    return [
      row.kind !== 'r' && refused(whole, 'table', name, 'a table', relationKinds[row.kind] ?? row.kind),
      !row.is_ours && refused(`alter table ${name} owner to ${row.me};`, 'owner', `${name} owner`, row.me, row.owner),
      row.is_typed && refused(`alter table ${name} not of;`, 'table', `${name} type`, 'none', 'a typed table'),
      ...row.parents.map((parent) =>
        refused(`alter table ${name} no inherit ${parent};`, 'inheritance', `${name} child of ${parent}`, 'no', 'yes'),
      ),
      ...row.children.map((child) =>
        refused(`alter table ${child} no inherit ${name};`, 'inheritance', `${name} parent of ${child}`, 'no', 'yes'),
      ),
      !row.is_logged &&
        refused(`alter table ${name} set logged; -- rewrites`, 'table', `${name} persistence`, 'logged', 'unlogged'),
      row.method !== null && row.method !== 'heap' && refused(whole, 'table', `${name} method`, 'heap', row.method),
      row.options !== null && accepted('storage', `${name} options`, 'none', row.options),
      row.security !== '' &&
        (row.sees_all || !row.security.includes('forced')
          ? accepted('row security', `${name} row security`, 'off', row.security)
          : // The backfill would take a full table for an empty one.
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
  readonly reads: string[]
  readonly collation: string | null
  readonly is_deterministic: boolean
  readonly storage: string
}

const examineColumns: Aspect = async ({ query, names, oids }) => {
  const rows = await query<FoundColumn>(
    `select c.oid::regclass::text as "table", a.attname as name, quote_ident(a.attname) as column,
       format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as is_required,
       pg_get_expr(d.adbin, d.adrelid) as "default", a.attidentity as identity, a.attgenerated as generated,
       array(
         select source.attname::text from pg_depend as p
         join pg_attribute as source on source.attrelid = p.refobjid and source.attnum = p.refobjsubid
         where p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refobjid = c.oid and a.attgenerated <> ''
       ) as reads,
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
  const found = rows.flatMap((row) => (tables[row.table]?.[row.name] ? examineColumn(row) : examineExtra(row, names)))
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
    const mend = type.startsWith('character varying')
      ? `${alter} type ${expected.type};`
      : `${alter} type ${expected.type} using ${row.column}::${expected.type}; -- rewrites the table under its lock`
    differences.push(mayStandFor(expected.type, type) ? accepted(...details) : refused(mend, ...details))
  }
  if (row.collation !== null) {
    const details: Details = ['collation', `${object} collation`, 'default', row.collation]
    const mend = `${alter} type ${type} collate "default";`
    differences.push(row.is_deterministic ? accepted(...details) : refused(mend, ...details))
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
  // `NULL::character varying` is what form builders write for no default.
  if (row.default !== null && row.generated === '' && !/^NULL(::[^()]+(\(\d+\))?)?$/.test(row.default)) {
    const details: Details = ['default', `${object} default`, expected.noDefault ?? 'none', row.default]
    differences.push(expected.noDefault ? refused(`${alter} drop default;`, ...details) : accepted(...details))
  }
  return differences
}

function examineExtra(row: FoundColumn, names: Names): Difference[] {
  const { table, name } = row
  const object = `${table}.${name}`
  const alter = `alter table ${table} alter column ${row.column}`
  const details: Details = ['column', object, 'no such column', row.type]
  if (names.columns.has(`${table.replace(/^public\./, '')}.${name}`)) {
    return [refused(`alter table ${table} rename column ${row.column} to …;`, ...details)]
  }
  if (row.reads.some((source) => converted(table).includes(source))) {
    const mend = row.generated === 's' ? `${alter} drop expression;` : `alter table ${table} drop column ${row.column};`
    return [refused(mend, 'generated', object, 'not made of a column whose type changes', row.default ?? 'generated')]
  }
  if (row.is_required && row.default === null && row.identity === '') {
    return [refused(`${alter} drop not null;`, 'column', object, 'nothing that an insert must name', `${row.type} not null`)]
  }
  return [{ ...accepted(...details), advice: 'whoever may read a row will read it there too' }]
}

/** How `id` gets its values: later migrations grant rights on the sequence by its name. */
const examineSequences: Aspect = async ({ query, oids }) => {
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

const examineConstraints: Aspect = async ({ query, names, oids }) => {
  const rows = await query<{
    table: string
    name: string
    type: 'p' | 'c' | 'x' | 'f'
    key: string | null
    references: string | null
    loses: boolean
    definition: string
    is_incoming: boolean
  }>(
    `select c.conrelid::regclass::text as "table", c.conname as name, c.contype as type, key.names as key,
       format('%s (%s) -> %s (%s)', c.conrelid::regclass, key.names, c.confrelid::regclass, (
         select string_agg(a.attname, ', ' order by k.at) from unnest(c.confkey) with ordinality as k (number, at)
         join pg_attribute as a on a.attrelid = c.confrelid and a.attnum = k.number
       )) as references,
       c.confdeltype not in ('a', 'r') as loses, pg_get_constraintdef(c.oid) as definition,
         c.conrelid <> all ($1::oid[]) as is_incoming
     from pg_constraint as c
     cross join lateral (
       select string_agg(a.attname, ', ' order by k.at) as names from unnest(c.conkey) with ordinality as k (number, at)
       join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.number
     ) as key
     where c.contype in ('p', 'c', 'x', 'f') and (c.conrelid = any ($1::oid[]) or c.confrelid = any ($1::oid[]))
     order by 1, 2`,
    [oids],
  )
  const keyless = Object.keys(tables)
    .filter((table) => rows.every((row) => row.table !== table || row.type !== 'p'))
    .map((table) => {
      const name = `${table.replace(/^public\./, '')}_pkey`
      const mend =
        `create unique index concurrently ${name} on ${table} (id); ` +
        `alter table ${table} add constraint ${name} primary key using index ${name};`
      return refused(mend, 'primary key', `${table} primary key`, 'PRIMARY KEY (id)', 'missing')
    })
  const found = rows.flatMap((row): Difference[] => {
    const { table, name, definition } = row
    const object = `${table} constraint ${name}`
    const drop = `alter table ${table} drop constraint ${quoted(name)};`
    if (!row.is_incoming && (names.constraints.has(name) || (row.type === 'p' && names.relations.has(name)))) {
      const rename = `alter table ${table} rename constraint ${quoted(name)} to …;`
      return [refused(rename, 'name', object, 'a name that later migrations give', definition)]
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
    // A request that goes into quarantine would take its snapshots with it, or they would forget whose they are.
    if (row.loses && table === 'public.iteration_snapshots') return [refused(drop, ...details)]
    if (table !== 'public.iteration_snapshots') return [accepted(...details)]
    const advice = `it keeps a request that has snapshots out of quarantine; before make backfill: ${drop}`
    return [{ ...accepted(...details), advice }]
  })
  return [...(oids.length === 0 ? [] : keyless), ...found]
}

const examineIndexes: Aspect = async ({ query, names, oids }) => {
  const rows = await query<{
    table: string
    name: string
    index: string
    is_valid: boolean
    repeats: boolean
    constraint: string | null
    key: string[]
    expressions: string
    definition: string
  }>(
    `select i.indrelid::regclass::text as "table", x.relname as name, i.indexrelid::regclass::text as index, i.indisvalid as is_valid,
       i.indisunique and not exists (
         select from pg_attribute as a where a.attrelid = i.indrelid and a.attname = 'id'
           and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])
       ) as repeats,
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
      return refused(rename, 'name', row.index, 'a name that later migrations give', row.definition)
    }
    if (!row.is_valid) return refused(drop, 'index', row.index, 'none that is invalid', row.definition)
    if (row.repeats) return refused(drop, 'index', row.index, 'none that is unique without id', row.definition)
    const changing = converted(row.table)
    // The only use of such a column that stays immutable whatever its type.
    const expressions = row.expressions.replace(/\("?\w+"? IS (NOT )?NULL\)/g, '')
    if (changing.some((column) => new RegExp(`\\b${column}\\b`).test(expressions))) {
      return refused(drop, 'index', row.index, 'none computed from a column whose type changes', row.definition)
    }
    if (!row.key.some((column) => changing.includes(column))) return accepted(...details)
    const advice = `make migrate rebuilds it under an exclusive lock; on a large table first ${drop}`
    return { ...accepted(...details), advice }
  })
}

const examineBehaviour: Aspect = async ({ query, oids }) => {
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

interface Dependent {
  readonly kind: string
  readonly name: string
  readonly columns: string[]
}

/** What depends on a table, each with the columns whose type changes: those of `$2`, as `<table>.<column>`. */
const dependents = `
  select d.classid, d.objid, coalesce(array_agg(distinct a.attname::text) filter (
    where d.refclassid = 'pg_class'::regclass and d.refobjid::regclass || '.' || a.attname = any ($2::text[])
  ), '{}') as columns
  from pg_depend as d
  left join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid and a.attnum > 0
  where d.refclassid = 'pg_class'::regclass and d.refobjid = any ($1::oid[])
    or d.refclassid = 'pg_type'::regclass and d.refobjid in (select reltype from pg_class where oid = any ($1::oid[]))
  group by d.classid, d.objid`

const allConverted = Object.keys(tables).flatMap((table) => converted(table).map((column) => `${table}.${column}`))

const examineViews: Aspect = async ({ query, oids }) => {
  const rows = await query<Dependent & { leaks: boolean }>(
    `select case v.relkind when 'm' then 'materialized view' when 'v' then 'view' else 'rule' end as kind,
       case when v.relkind in ('m', 'v') then v.oid::regclass::text else format('%I on %s', r.rulename,
         v.oid::regclass) end as name,
       x.columns,
       not coalesce('security_invoker=true' = any (v.reloptions) or 'security_invoker=on' = any (v.reloptions), false)
         and exists (
         select from pg_roles where rolname in ('anon', 'authenticated')
           and has_table_privilege(oid, v.oid, 'select, insert, update, delete')
       ) as leaks
     from (${dependents}) as x
     join pg_rewrite as r on r.oid = x.objid and x.classid = 'pg_rewrite'::regclass
     join pg_class as v on v.oid = r.ev_class
     where v.oid <> all ($1::oid[])
     order by 2`,
    [oids, allConverted],
  )
  return rows.map(({ kind, name, columns, leaks }) => {
    if (columns.length > 0 || kind === 'rule') {
      const again = kind === 'rule' ? '' : ' -- and create it again when all is migrated'
      const uses = `uses ${columns.join(', ') || 'the table'}`
      return refused(`drop ${kind} ${name};${again}`, kind, name, 'none that a change of type would break', uses)
    }
    if (!leaks) return accepted(kind, name, 'none', 'uses the table')
    const mend =
      kind === 'view'
        ? `alter view ${name} set (security_invoker = true);`
        : `revoke all on ${name} from public, anon, authenticated;`
    return refused(mend, kind, name, 'none that reads around row security', 'open to users with its owner\'s rights')
  })
}

const examineDependents: Aspect = async ({ query, oids }) => {
  const rows = await query<Dependent>(
    `select case x.classid
         when 'pg_proc'::regclass then 'function' when 'pg_policy'::regclass then 'policy' else 'publication'
       end as kind,
       pg_describe_object(x.classid, x.objid, 0) as name, x.columns
     from (${dependents}) as x
     where x.classid in ('pg_proc'::regclass, 'pg_publication_rel'::regclass)
       or x.classid = 'pg_policy'::regclass
         and x.objid not in (select oid from pg_policy where polrelid = any ($1::oid[]))
     order by 2`,
    [oids, allConverted],
  )
  return rows.flatMap(({ kind, name, columns }): Difference[] => {
    const uses = `uses ${columns.join(', ') || 'the table'}`
    if (columns.length > 0) {
      const advice =
        kind === 'publication'
          ? 'publish the table whole: alter publication … drop table …; alter publication … add table …;'
          : `drop the ${name}, and create it again when all is migrated`
      return [refused(advice, kind, `${name} columns`, 'none that a change of type would break', uses)]
    }
    // Membership alone is listed with the publications.
    return kind === 'publication' ? [] : [accepted(kind, name, 'none', uses)]
  })
}

/** Functions whose text names a table, which the catalog does not know for most languages. */
const examineMentions: Aspect = async ({ query, oids }) => {
  const rows = await query<{ name: string; definer: boolean }>(
    `select pg_describe_object('pg_proc'::regclass, p.oid, 0) as name, p.prosecdef as definer
     from pg_proc as p
     where p.pronamespace not in (select oid from pg_namespace where nspname in ('pg_catalog', 'information_schema',
       'dbmate'))
       and p.prosrc ~* '\\m(generation_requests|iteration_snapshots)\\M'
       and not exists (select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and (
         d.deptype = 'e' or d.refclassid = 'pg_class'::regclass and d.refobjid = any ($1::oid[])
         or d.refclassid = 'pg_type'::regclass and d.refobjid in (select reltype from pg_class
           where oid = any ($1::oid[]))
       ))
     order by 1`,
    [oids],
  )
  return rows.map(({ name, definer }) => ({
    ...accepted('function', name, 'none', `mentions a table${definer ? ', and runs with its owner\'s rights' : ''}`),
    advice: 'read it: what it writes has to follow the new rules, and a definer reads around row security',
  }))
}

/** A column of the row type of a live table anywhere else keeps that table from being altered. */
const examineRowTypes: Aspect = async ({ query, oids }) => {
  const rows = await query<{ table: string; column: string; type: string }>(
    `select a.attrelid::regclass::text as "table", a.attname as column, format_type(a.atttypid, a.atttypmod) as type
     from pg_class as c
     join pg_type as t on t.oid = c.reltype
     join pg_attribute as a on a.atttypid in (t.oid, t.typarray) and not a.attisdropped
     join pg_class as o on o.oid = a.attrelid and o.relkind in ('r', 'p', 'm')
     where c.oid = any ($1::oid[])
     order by 1, 2`,
    [oids],
  )
  return rows.map(({ table, column, type }) => {
    const drop = `alter table ${table} drop column ${quoted(column)};`
    return refused(drop, 'column', `${table}.${column}`, 'no column of that row type', type)
  })
}

const examinePublications: Aspect = async ({ query, oids }) => {
  const rows = await query<{ table: string; name: string; found: string }>(
    `select t.oid::regclass::text as "table", p.pubname as name,
       case
         when p.puballtables then 'all tables'
         when r.oid is null then 'all tables of the schema'
         else concat_ws(' ', 'member', case when r.prattrs is not null then 'with columns' end,
           'where ' || pg_get_expr(r.prqual, t.oid))
       end as found
     from unnest($1::oid[]) as t (oid)
     cross join pg_publication as p
     left join pg_publication_rel as r on r.prpubid = p.oid and r.prrelid = t.oid
     where p.puballtables or r.oid is not null or exists (
       select from pg_publication_namespace as n join pg_class as c on c.relnamespace = n.pnnspid and c.oid = t.oid
       where n.pnpubid = p.oid
     )
     order by 1, 2`,
    [oids],
  )
  return rows.map(({ table, name, found }) => accepted('publication', `${table} in publication ${name}`, 'none', found))
}

const examineStatistics: Aspect = async ({ query, oids }) => {
  const rows = await query<{ name: string; definition: string }>(
    `select format('%s.%I', stxnamespace::regnamespace, stxname) as name, pg_get_statisticsobjdef(oid) as definition
     from pg_statistic_ext where stxrelid = any ($1::oid[]) order by 1`,
    [oids],
  )
  return rows.map(({ name, definition }) => accepted('statistics', name, 'none', definition))
}

const examineGrants: Aspect = async ({ query, oids }) => {
  const rows = await query<{
    object: string
    on: string
    grantee: string
    grantor: string
    is_owners: boolean
    privileges: string
  }>(
    `with objects as (
       select c.oid::regclass::text as object, case c.relkind when 'S' then 'sequence ' else ''
         end || c.oid::regclass as "on",
         c.relowner as owner, c.relacl as acl
       from pg_class as c
       where c.oid = any ($1::oid[]) or c.relkind = 'S' and exists (
         select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid
           and d.refobjid = any ($1::oid[])
           and d.deptype in ('a', 'i')
       )
       union all
       select a.attrelid::regclass || '.' || a.attname, a.attrelid::regclass::text, c.relowner, a.attacl
       from pg_attribute as a join pg_class as c on c.oid = a.attrelid
       where a.attrelid = any ($1::oid[]) and not a.attisdropped
       union all
       select t.oid::regtype::text, 'type ' || t.oid::regtype, t.typowner, t.typacl
       from unnest($2::text[]) as name join pg_type as t on t.oid = to_regtype(name)
     )
     select o.object, o."on", case x.grantee when 0 then 'public' else quote_ident(x.grantee::regrole::text)
       end as grantee,
       x.grantor::regrole::text as grantor, x.grantor = o.owner as is_owners,
       string_agg(lower(x.privilege_type) || case when x.is_grantable then ' with grant option' else '' end, ', '
         order by x.privilege_type) as privileges
     from objects as o
     cross join lateral aclexplode(o.acl) as x
     where x.grantee <> o.owner and not (o."on" like 'type %' and x.grantee = 0)
     group by 1, 2, 3, 4, 5
     order by 1, 3, 4`,
    [oids, Object.keys(enums)],
  )
  return rows.map(({ object, on, grantee, grantor, is_owners, privileges }): Difference => {
    if (!is_owners) {
      const mend = `revoke grant option for all on ${on} from ${grantor} cascade;`
      return refused(mend, 'grant', `${object} to ${grantee} by ${grantor}`, 'none but the owner\'s', privileges)
    }
    const difference = accepted('grant', `${object} to ${grantee}`, 'none', privileges)
    if (apiRoles.includes(grantee)) return difference
    const advice = `no migration takes it back; once nobody needs it: revoke all on ${on} from ${grantee};`
    return { ...difference, advice }
  })
}

/** What is there under a name that a later migration gives. */
const examineNames: Aspect = async ({ query, names, oids }) => {
  const rows = await query<{ name: string; what: string; rename: string }>(
    `select quote_ident(nspname) as name, 'a schema' as what, format('alter schema %I rename to …;', nspname) as rename
     from pg_namespace where nspname = any ($1::text[])
     union all
     select c.oid::regclass::text, k.what, format('alter %s %s rename to …;', k.what, c.oid::regclass)
     from pg_class as c
     cross join lateral (
       select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
         when 'f' then 'foreign table'
         when 'c' then 'type' when 'i' then 'index' when 'I' then 'index' else 'table' end as what
     ) as k
     where c.relnamespace = 'public'::regnamespace and c.relname = any ($2::text[])
       and not exists (select from pg_index where indexrelid = c.oid and indrelid = any ($4::oid[]))
     union all
     select t.oid::regtype::text, case t.typtype when 'd' then 'domain' else 'type' end,
       format('alter %s %s rename to …;', case t.typtype when 'd' then 'domain' else 'type' end, t.oid::regtype)
     from pg_type as t
     where t.typnamespace = 'public'::regnamespace and t.typname = any ($2::text[] || $3::text[]) and t.typrelid = 0
     order by 1`,
    [[...names.schemas], [...names.relations], [...names.domains], oids],
  )
  return rows.map(({ name, what, rename }) => refused(rename, 'name', name, 'a name that later migrations give', what))
}

/** Later migrations write their own over those of the tables and columns that they know. One line a table. */
const examineComments: Aspect = async ({ query, oids }) => {
  const rows = await query<{ table: string; count: string }>(
    `select objoid::regclass::text as "table", count(*) as count from pg_description
     where classoid = 'pg_class'::regclass and objoid = any ($1::oid[]) group by 1 order by 1`,
    [oids],
  )
  return rows.map(({ table, count }) =>
    accepted('comment', `${table} comments`, 'none', `${count} on the table and its columns`),
  )
}

const aspects: readonly Aspect[] = [
  examineTables,
  examineEnums,
  examineColumns,
  examineSequences,
  examineConstraints,
  examineIndexes,
  examineBehaviour,
  examineViews,
  examineDependents,
  examineMentions,
  examineRowTypes,
  examineNames,
  examinePublications,
  examineStatistics,
  examineGrants,
  examineComments,
]

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
