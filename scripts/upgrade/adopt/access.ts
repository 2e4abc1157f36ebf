import { enums } from './baseline.ts'
import { accepted, apiRoles, type Check, type Difference, refused, reservedName } from './difference.ts'

export const examineGrants: Check = async ({ query, oids }) => {
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
      const repair = `revoke grant option for all on ${on} from ${grantor} cascade;`
      return refused(repair, 'grant', `${object} to ${grantee} by ${grantor}`, 'granted by the owner only', privileges)
    }
    const difference = accepted('grant', `${object} to ${grantee}`, 'none', privileges)
    if (apiRoles.includes(grantee)) return difference
    const advice = `the migrations do not revoke it; when it is no longer needed: revoke all on ${on} from ${grantee};`
    return { ...difference, advice }
  })
}

/** Finds objects with a name that a later migration uses. */
export const examineNames: Check = async ({ query, names, oids }) => {
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
  return rows.map(({ name, what, rename }) => refused(rename, 'name', name, reservedName, what))
}

/** Later migrations replace the comments on the tables and columns of the baseline. One difference per table. */
export const examineComments: Check = async ({ query, oids }) => {
  const rows = await query<{ table: string; count: string }>(
    `select objoid::regclass::text as "table", count(*) as count from pg_description
     where classoid = 'pg_class'::regclass and objoid = any ($1::oid[]) group by 1 order by 1`,
    [oids],
  )
  return rows.map(({ table, count }) =>
    accepted('comment', `${table} comments`, 'none', `${count} on the table and its columns`),
  )
}
