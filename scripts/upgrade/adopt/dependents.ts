import { converted, tables } from './baseline.ts'
import { accepted, type Check, type Difference, quoted, refused } from './difference.ts'

interface Dependent {
  readonly kind: string
  readonly name: string
  readonly columns: string[]
}

/** Dependents of the tables `$1`, each with the columns that it uses among `$2`, given as `<table>.<column>`. */
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

export const examineViews: Check = async ({ query, oids }) => {
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
      const recreate = kind === 'rule' ? '' : ' -- and create it again after the upgrade'
      const uses = `uses ${columns.join(', ') || 'the table'}`
      return refused(`drop ${kind} ${name};${recreate}`, kind, name, 'none on a column whose type changes', uses)
    }
    if (!leaks) return accepted(kind, name, 'none', 'uses the table')
    const repair =
      kind === 'view'
        ? `alter view ${name} set (security_invoker = true);`
        : `revoke all on ${name} from public, anon, authenticated;`
    return refused(repair, kind, name, 'none that bypasses row security', 'open to anon or authenticated with the privileges of its owner')
  })
}

export const examineDependents: Check = async ({ query, oids }) => {
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
          ? 'publish all columns and rows: alter publication … drop table …; alter publication … add table …;'
          : `drop the ${name}, and create it again after the upgrade`
      return [refused(advice, kind, `${name} columns`, 'none on a column whose type changes', uses)]
    }
    // examinePublications lists membership without a column list or filter.
    return kind === 'publication' ? [] : [accepted(kind, name, 'none', uses)]
  })
}

/** Functions whose body contains the name of a table: for most languages pg_depend has no entry for it. */
export const examineMentions: Check = async ({ query, oids }) => {
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
    advice: 'review it: its writes must satisfy the new constraints, and a security definer function bypasses row security',
  }))
}

/** A column elsewhere that has the row type of a live table prevents ALTER TABLE on that table. */
export const examineRowTypes: Check = async ({ query, oids }) => {
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
    return refused(drop, 'column', `${table}.${column}`, 'no column of this row type', type)
  })
}

export const examinePublications: Check = async ({ query, oids }) => {
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

export const examineStatistics: Check = async ({ query, oids }) => {
  const rows = await query<{ name: string; definition: string }>(
    `select format('%s.%I', stxnamespace::regnamespace, stxname) as name, pg_get_statisticsobjdef(oid) as definition
     from pg_statistic_ext where stxrelid = any ($1::oid[]) order by 1`,
    [oids],
  )
  return rows.map(({ name, definition }) => accepted('statistics', name, 'none', definition))
}
